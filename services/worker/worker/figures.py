"""What the worker measures and tells Prometheus."""

from collections.abc import Mapping

from .backoff import Contact
from .durations import Durations
from .ledger import Ledger
from .metrics import Metrics
from .peers import Peer


class Figures:
    """The durations of the worker's work."""

    def __init__(self, metrics: Metrics) -> None:
        answer = metrics.histogram(
            "dockercoins_worker_request_duration_seconds",
            "Time of a right answer of rng or hasher, as the worker sees it.",
            ("server",),
        )
        self.rng, self.hasher = Durations(answer("rng")), Durations(answer("hasher"))
        unit = metrics.histogram(
            "dockercoins_worker_unit_duration_seconds", "Time of a unit of work, the worker's own pause included."
        )
        self.unit = Durations(unit())
        write = metrics.histogram(
            "dockercoins_worker_redis_write_duration_seconds", "Time of a write of counted units and coins to redis."
        )
        self.write = Durations(write())
        self.in_flight = 0
        self.redis_failures: dict[str, int] = {"away": 0, "refused": 0}

    def tell(self, metrics: Metrics, ledger: Ledger, redis: Contact, rng: Peer, hasher: Peer) -> None:
        """Tell Prometheus also what is counted elsewhere."""
        contacts = {"redis": redis, "rng": rng.contact, "hasher": hasher.contact}

        def up() -> Mapping[str, float]:
            return {name: float(contact.up is True) for name, contact in contacts.items()}

        def returns() -> Mapping[str, float]:
            return {name: contact.returns for name, contact in contacts.items()}

        counter, gauge = metrics.counter, metrics.gauge
        counter("dockercoins_worker_units_total", "Units of work that were done.", lambda: ledger.total)
        counter("dockercoins_worker_coins_total", "Coins that were found.", lambda: ledger.coins)
        gauge("dockercoins_worker_units_in_flight", "Units that are being worked on.", lambda: self.in_flight)
        gauge("dockercoins_worker_units_unwritten", "Units not known to be in redis yet.", lambda: ledger.unwritten)
        gauge("dockercoins_worker_server_up", "1 if the server answered last, 0 if it did not.", up, "server")
        text = "How often a server answered again after it had not."
        counter("dockercoins_worker_reconnects_total", text, returns, "server")
        text = "Requests that gave no right answer."
        counter("dockercoins_worker_rng_failures_total", text, lambda: rng.failures, "reason")
        counter("dockercoins_worker_hasher_failures_total", text, lambda: hasher.failures, "reason")
        text = "Attempts to write to redis that failed."
        counter("dockercoins_worker_redis_failures_total", text, lambda: self.redis_failures, "reason")
