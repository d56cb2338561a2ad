import hashlib

from benchmarks.honesty import complaints

_UNITS = [hashlib.sha256(f"unit {number}".encode()).digest() for number in range(4000)]
_WALLET = {digest.encode(): unit for unit in _UNITS if (digest := hashlib.sha256(unit).hexdigest()).startswith("0")}


def test_an_honest_run_has_no_complaint() -> None:
    assert complaints(4000, _WALLET, {"rng": 4000, "hasher": 4003}) == []
    assert complaints(0, {}) == []


def test_hashes_that_were_counted_but_not_done_leave_too_few_coins() -> None:
    (found,) = complaints(8000, _WALLET)
    assert found.startswith("8000 hashes give about 500 coins")


def test_bytes_that_repeat_leave_too_few_coins() -> None:
    one = dict([next(iter(_WALLET.items()))])
    assert any("4000 hashes give about 250 coins" in found for found in complaints(4000, one))


def test_a_digest_that_is_not_of_its_bytes_is_found() -> None:
    forged = _WALLET | {next(iter(_WALLET)): bytes(32)}
    assert f"1 of {len(_WALLET)} coins are not the SHA-256 of their bytes" in complaints(4000, forged)


def test_coins_of_other_lengths_are_found() -> None:
    short = next(bytes([n]) for n in range(256) if hashlib.sha256(bytes([n])).hexdigest().startswith("0"))
    wallet = _WALLET | {hashlib.sha256(short).hexdigest().encode(): short}
    assert complaints(4000, wallet) == [f"1 of {len(wallet)} coins were not made from 32 bytes"]


def test_bytes_that_are_not_random_are_found() -> None:
    units = [number.to_bytes(32) for number in range(4000)]
    wallet = {d.encode(): u for u in units if (d := hashlib.sha256(u).hexdigest()).startswith("0")}
    assert any("random bits are 1" in found for found in complaints(4000, wallet))


def test_work_that_nobody_was_asked_for_is_found() -> None:
    assert complaints(4000, _WALLET, {"rng": 4000, "hasher": 12}) == [
        "4000 hashes were counted, but hasher answered 12 requests"
    ]
