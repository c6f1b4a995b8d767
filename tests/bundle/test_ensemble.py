from monai.bundle import ConfigParser

from medunet.bundle.ensemble import average_logits, load_files, make_networks


def test_one_network_is_called_so_and_averages_nothing() -> None:
    assert list(make_networks(())) == ["network"]
    (handler,) = load_files(())
    assert handler["load_dict"] == {"model": "@network"}
    assert handler["load_path"].endswith("/models/model.pt'")
    assert average_logits(()) == []


def test_networks_of_folds_share_no_weights() -> None:
    config = {"network_def": {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 2}, "device": "cpu"}
    networks = ConfigParser({**config, **make_networks(("a.pt", "b.pt"))}).get_parsed_content("networks")
    assert len(networks) == 2
    assert networks[0].weight.data_ptr() != networks[1].weight.data_ptr()
    assert [handler["load_dict"]["model"] for handler in load_files(("a.pt", "b.pt"))] == ["@networks#0", "@networks#1"]
    assert average_logits(("a.pt", "b.pt"))[0]["keys"] == ["pred_0", "pred_1"]
