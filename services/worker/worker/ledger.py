"""The account of units that were done and are not yet known to be in redis. Pure: no I/O, no clock."""

from dataclasses import dataclass, field

PLACES = 256


@dataclass(frozen=True)
class Batch:
    """Units that are written to redis together, under a number that is never used for others.

    ``places`` are the places in traces of those units that have one, PLACES at most.
    """

    sequence: int
    units: int
    coins: dict[str, bytes]
    places: list[object]


@dataclass
class Ledger:
    """Counts units and keeps the coins among them until they are written.

    A batch stays the same until it is settled, however often its write is tried: that is what lets redis tell a
    repeated write from a new one.
    """

    capacity: int
    total: int = 0
    coins: int = 0
    _units: int = 0
    _coins: dict[str, bytes] = field(default_factory=dict[str, bytes])
    _places: list[object] = field(default_factory=list[object])
    _pending: Batch | None = None
    _sequence: int = 0

    def record(self, digest: str, random_bytes: bytes, place: object | None = None) -> None:
        """Count one unit that was done; its digest is a coin if it starts with ``0``."""
        self.total += 1
        self._units += 1
        if digest.startswith("0"):
            self.coins += 1
            self._coins[digest] = random_bytes
        if place is not None and len(self._places) < PLACES:
            self._places.append(place)

    @property
    def unwritten(self) -> int:
        """Units that are not known to be in redis."""
        return self._units + (self._pending.units if self._pending else 0)

    @property
    def full(self) -> bool:
        """Whether no more units should be started."""
        return self.unwritten >= self.capacity

    def batch(self) -> Batch | None:
        """Give the batch to write now: the one that is not settled yet, or a new one; None if there is nothing."""
        if self._pending is None and self._units:
            self._sequence += 1
            self._pending = Batch(self._sequence, self._units, self._coins, self._places)
            self._units, self._coins, self._places = 0, {}, []
        return self._pending

    def settle(self, batch: Batch) -> None:
        """Forget the batch, which is in redis now."""
        if batch is self._pending:
            self._pending = None
