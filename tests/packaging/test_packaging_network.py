"""
The network of the appliance: whatever is asked for, what was before is there until a change is confirmed.
"""

import contextlib
import importlib.util
import ipaddress
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location(
    "appliance_network", ROOT / "packaging/appliance/network.py"
)
assert _spec is not None
assert _spec.loader is not None
N: Any = importlib.util.module_from_spec(_spec)
sys.modules["appliance_network"] = N
_spec.loader.exec_module(N)


@st.composite
def statics(draw: st.DrawFn) -> Any:
    length = draw(st.integers(8, 29))
    base = draw(
        st.integers(
            int(ipaddress.ip_address("10.0.0.0")), int(ipaddress.ip_address("10.255.255.0"))
        )
    )
    network = ipaddress.ip_network((base, length), strict=False)
    first, second = draw(
        st.lists(st.integers(1, network.num_addresses - 2), min_size=2, max_size=2, unique=True)
    )
    return N.static(f"{network[first]}/{length}", str(network[second]), "192.0.2.53")


NETWORKS = st.one_of(st.just(N.Network()), statics())
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), NETWORKS),
        st.tuples(st.just("wait"), st.integers(1, 90)),
        st.tuples(st.just("confirm"), st.none()),
        st.tuples(st.just("back"), st.none()),
    ),
    max_size=12,
)


@given(NETWORKS)
def test_what_is_written_is_read_back(network: Any) -> None:
    assert N.parse(N.render(network)) == network


@given(NETWORKS, STEPS)
def test_the_last_confirmed_network_is_in_force_until_another_is_confirmed_in_time(
    start: Any, steps: list[tuple[str, Any]]
) -> None:
    state, kept, now, wanted, until = N.Trial(N.render(start)), start, 1000.0, None, 0.0
    for step, value in steps:
        if step == "wait":
            now += value
        elif step == "begin":
            state, wanted, until = N.begin(state, value, now), value, now + N.CONFIRM_SECONDS
        elif step == "back":
            state, wanted = N.take_back(state), None
        elif wanted is not None and now < until:
            state, kept, wanted = N.confirm(state, now), wanted, None
        else:
            with pytest.raises(N.Refused):
                N.confirm(state, now)
        present = N.parse(state.present)
        assert set(kept.addresses) <= set(present.addresses)
        assert present.dhcp or not kept.dhcp
        if wanted is None:
            assert present == kept
        assert N.take_back(state) == N.Trial(N.render(kept))


@pytest.mark.parametrize(
    "words",
    [
        ("192.0.2.5", "192.0.2.1"),
        ("192.0.2.5/24", "198.51.100.1"),
        ("192.0.2.5/24", "192.0.2.5"),
        ("192.0.2.0/24", "192.0.2.1"),
        ("192.0.2.255/24", "192.0.2.1"),
        ("192.0.2.5/24", "2001:db8::1"),
        ("127.0.0.2/8", "127.0.0.1"),
        ("192.0.2.5/33", "192.0.2.1"),
        ("192.0.2.5/0", "192.0.2.1"),
        ("192.0.2.5/24", "192.0.2.1", "dns.example"),
        ("192.0.2.5/24\nDHCP=yes", "192.0.2.1"),
        ("192.0.2.5/24", "192.0.2.1", *["192.0.2.53"] * 5),
    ],
)
def test_a_network_that_cannot_work_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(N.Refused):
        N.static(*words)


def test_a_power_cut_at_any_step_leaves_what_was_or_a_change_that_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, wanted = N.Network(), N.static("192.0.2.5/24", "192.0.2.1")
    real, renames = Path.rename, 0
    for cut in range(5):
        file = tmp_path / str(cut) / "10-tscm.network"
        N.write_state(N.Trial(N.render(before)), file)
        renames = 0

        def rename(self: Path, target: Path, last: int = cut) -> Path:
            nonlocal renames
            renames += 1
            if renames > last:
                raise OSError(5, "no power")
            return real(self, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", rename)
            with contextlib.suppress(OSError):
                N.write_state(N.begin(N.read_state(file), wanted, 0.0), file)
        assert N.take_back(N.read_state(file)) == N.Trial(N.render(before))
