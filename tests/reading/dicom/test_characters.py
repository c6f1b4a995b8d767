import pytest

from medunet.reading.dicom.characters import decode_text, find_encodings


@pytest.mark.parametrize(
    ("named", "encodings"),
    [
        (None, ["iso8859"]),
        ("", ["iso8859"]),
        ("nonsense", ["iso8859"]),
        ("ISO_IR 100", ["latin_1"]),
        ("ISO-IR 100", ["latin_1"]),
        ("iso ir 100", ["latin_1"]),
        ("ISO 2022 IR 100", ["latin_1"]),
        ("ISO_IR 149", ["euc_kr"]),
        ("LATIN1", ["iso8859-1"]),
        ("WINDOWS-1251", ["cp1251"]),
        (["", "ISO 2022 IR 87"], ["iso8859", "iso2022_jp"]),
        (["ISO_IR 6", "ISO_IR 192"], ["UTF8"]),
        (["GBK", "ISO 2022 IR 87"], ["GBK"]),
    ],
)
def test_terms_are_known_by_their_letters_and_numbers(named: str | list[str] | None, encodings: list[str]) -> None:
    assert find_encodings(named) == encodings


def test_escape_sequences_name_their_own_encodings() -> None:
    raw = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"
    assert decode_text(raw, "ISO_IR 6", is_name=True) == decode_text(raw, ["", "ISO 2022 IR 87"], is_name=True)
    assert decode_text(raw, None, is_name=True) == "Yamada^Tarou=山田^太郎"


def test_text_is_decoded_strictly() -> None:
    assert decode_text("Jörg ".encode(), None) == "Jörg"
    assert decode_text("Jörg".encode("latin-1"), None) is None
    assert decode_text("Jörg".encode("latin-1"), "ISO_IR 192") is None
    assert decode_text("Jörg".encode("latin-1"), ["ISO 2022 IR 100", "GB18030"]) is None
    assert decode_text("Jörg".encode("latin-1"), "hex") is None
