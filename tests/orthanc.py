"""A real Orthanc with DICOMweb, for as long as a test takes."""

import email.parser
import email.policy
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path

from pydicom import FileDataset, dcmread

PROGRAM, STORESCU = shutil.which("Orthanc"), shutil.which("storescu")
ROOT = Path(PROGRAM).parents[1] if PROGRAM else Path("/usr")
PLUGIN = ROOT / "share" / "orthanc" / "plugins" / "libOrthancDicomWeb.so"
AET = "ORTHANC"
BOUNDARY = "a-part-begins-here"


@dataclass(frozen=True, slots=True)
class Orthanc:
    """A running one.

    Attributes:
        http: its port.
        dicom: its port for associations.
    """

    http: int
    dicom: int

    def stow(self, *paths: Path) -> int:
        """Send files by STOW-RS; how many were stored."""
        parts = [
            f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + path.read_bytes() + b"\r\n"
            for path in paths
        ]
        kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
        said = json.loads(self._ask("studies", kind, b"".join(parts) + f"--{BOUNDARY}--".encode())[1])
        assert "Value" not in said.get("00081198", {}), said
        return len(said["00081199"]["Value"])

    def store(self, *paths: Path) -> None:
        """Send files by C-STORE."""
        assert STORESCU is not None
        call = [STORESCU, "-R", "-aet", "MEDUNET", "-aec", AET, "127.0.0.1", str(self.dicom), *map(str, paths)]
        done = subprocess.run(call, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def fetch(self, dataset: FileDataset) -> FileDataset:
        """What WADO-RS gives back of an instance, as it is stored."""
        place = f"studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}"
        kind, body = self._ask(
            f"{place}/instances/{dataset.SOPInstanceUID}",
            accept='multipart/related; type="application/dicom"; transfer-syntax=*',
        )
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
            f"Content-Type: {kind}\r\n\r\n".encode() + body
        )
        (part,) = message.iter_parts()
        return dcmread(BytesIO(part.get_payload(decode=True)))

    def _ask(self, place: str, kind: str = "", body: bytes | None = None, accept: str = "") -> tuple[str, bytes]:
        headers = {"Accept": accept or "application/dicom+json", **({"Content-Type": kind} if kind else {})}
        connection = HTTPConnection("127.0.0.1", self.http, timeout=120)
        connection.request("GET" if body is None else "POST", f"/dicom-web/{place}", body, headers)
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content[:500]
        return answer.getheader("Content-Type", ""), content


def find_port() -> int:
    """One that is free."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def run_orthanc(folder: Path) -> Iterator[Orthanc]:
    """Run one whose files lie in a folder, and which answers this machine alone."""
    running = Orthanc(find_port(), find_port())
    modality = {"AET": "MEDUNET", "Host": "127.0.0.1", "Port": find_port(), "AllowStore": True}
    settings = {
        "Name": "test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "Plugins": [str(PLUGIN)],
        "HttpPort": running.http,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAet": AET,
        "DicomPort": running.dicom,
        "DicomCheckCalledAet": True,
        "DicomCheckModalityHost": True,
        "DicomAlwaysAllowStore": False,
        "DicomAlwaysAllowEcho": False,
        "DicomModalities": {"sender": modality},
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([str(PROGRAM), str(folder / "settings.json")], stdout=log, stderr=log)
    try:
        _wait(running, process, folder / "log")
        yield running
    finally:
        process.terminate()
        process.wait(30)


def _wait(running: Orthanc, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", running.http), timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(log.read_text())
