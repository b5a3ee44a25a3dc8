"""Posts JSON to one configured address, and nowhere else."""

from collections.abc import Mapping

from workers.alerts.channels.channel import NotSent
from workers.clients.http import Budgets, Http, NoAnswer

BUDGETS = Budgets(whole_seconds=10.0, answer_bytes=64 * 1024)


class Post:
    """A receiver of JSON. Any 2xx is a success; a redirect is none."""

    def __init__(self, url: str, *, budgets: Budgets = BUDGETS) -> None:
        self._url = url
        self._http = Http([url], budgets=budgets, most_connections=1)

    def __call__(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Raises `NotSent`, which does not repeat the address: whoever knows it can post there."""
        try:
            answer = self._http.exchange("POST", self._url, {"Content-Type": "application/json", **headers}, body)
        except NoAnswer as missing:
            raise NotSent(f"The receiver {missing.what}.") from missing
        if not 200 <= answer.status < 300:
            raise NotSent(f"The receiver answered {answer.status}.")

    def close(self) -> None:
        self._http.close()
