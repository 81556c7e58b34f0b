import pytest

from tscm.base.secrets import Secret
from tscm.forward.target import Target, target_of, targets_of
from tscm.settings.device import DeviceSettings
from tscm.settings.shapes import as_options, read_options


def device(**more: object) -> DeviceSettings:
    table = {
        "name": "fw",
        "device_id": "tdid_abcd1234",
        "device": "192.0.2.10",
        "block_list": "block.example",
        "allow_list": "allow.example",
        "username": "u",
        "password": Secret("p"),
        **more,
    }
    settings, faults = read_options(table)
    assert settings is not None, faults
    return settings


def test_without_forwarding_there_is_no_target() -> None:
    assert target_of(device()) is None
    also = device(forward_also=["tcp://192.0.2.9:514"])
    assert targets_of(also) == {}


def test_every_target_has_a_reader_that_order_does_not_move() -> None:
    urls = ["tcp://192.0.2.9:514", "tls://siem.example:6514?mode=rfc5424&framing=octets"]
    on = {"syslog_forward": True, "forward_address": "192.0.2.8", "forward_resend_kb": 2}
    found = targets_of(device(**on, forward_also=urls))
    assert found == targets_of(device(**on, forward_also=urls[::-1]))
    assert len(found) == 3
    assert found["forward"] == Target(address="192.0.2.8", port=514, resend_bytes=2048)
    others = sorted(str(target) for name, target in found.items() if name != "forward")
    assert others == ["TCP 192.0.2.9:514", "TLS siem.example:6514"]
    tls = next(one for one in found.values() if one.protocol == "TLS")
    assert (tls.mode, tls.framing, tls.resend_bytes) == ("rfc5424", "octets", 2048)


@pytest.mark.parametrize(
    "url",
    [
        "sctp://192.0.2.9:514",
        "tcp://192.0.2.9",
        "tcp://192.0.2.9:514/path",
        "tcp://192.0.2.9:514?mode=loud",
        "tcp://192.0.2.9:514?colour=red",
        "tcp://user@192.0.2.9:514",
    ],
)
def test_a_target_that_is_none_is_refused(url: str) -> None:
    table = {**as_options(device()), "forward_also": [url]}
    settings, faults = read_options(table)
    assert settings is None
    assert "forward_also" in str(faults[0])


@pytest.mark.parametrize("field", [{"protocol": "SCTP"}, {"mode": "loud"}, {"framing": "none"}])
def test_a_target_holds_only_what_there_is(field: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(field))):
        Target(address="192.0.2.9", port=514, **field)  # type: ignore[arg-type]
