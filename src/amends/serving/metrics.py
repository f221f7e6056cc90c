"""What the server counts, for Prometheus. No label holds anything that a client wrote."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SHORT = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)
LONG = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class Metrics:
    """Counters and times of one server. `added` is the time that it takes to read a request and to add to it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        to = self.registry
        self.requests = Counter("amends_requests", "Requests by the status that they got.", ["status"], registry=to)
        self.active = Gauge("amends_active_requests", "Requests that are being answered.", registry=to)
        self.waiting = Gauge("amends_waiting_requests", "Requests that wait for their turn.", registry=to)
        self.seconds = Histogram("amends_request_seconds", "Whole requests.", buckets=LONG, registry=to)
        self.added = Histogram("amends_added_seconds", "What reading a request took.", buckets=SHORT, registry=to)
        self.first = Histogram("amends_first_byte_seconds", "Until an answer begins.", buckets=LONG, registry=to)
        self.verdicts = Counter("amends_verdicts", "Answers by the judge's verdict.", ["verdict"], registry=to)
        self.withheld = Counter("amends_withheld_answers", "Answers that were not sent.", registry=to)
        self.judge_failures = Counter("amends_judge_failures", "Times that the judge failed.", registry=to)
        self.cut_off = Counter("amends_cut_off_clients", "Clients that did not read their answers.", registry=to)

    def text(self) -> bytes:
        """All of them in Prometheus' format."""
        return generate_latest(self.registry)
