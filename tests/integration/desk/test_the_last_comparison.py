"""What `tltw drift --last` says while a comparison is under way, and when it is done."""

from collections.abc import Callable

from tests.integration.desk.conftest import Answered, Desk
from workers.bulk.drift import FOUND
from workers.bulk.jobs import Jobs, Step

LINES = [{"subject": f"contact:{number}", "found": "missing"} for number in range(50)]


def test_the_files_are_named_only_when_there_are_files(desk: Desk, tltw: Callable[..., Answered]) -> None:
    jobs = Jobs(desk.services.store)
    jobs.start("acme", "drift", {}, by="cli:els")
    turn = jobs.take("acme", "drift")
    assert turn is not None
    jobs.commit(turn, Step(cursor=1, done=50, lines=LINES), keep=True)

    under_way = tltw("drift", "--last").out
    result = dict.fromkeys((*FOUND, "repaired", "calls"), 0) | {"file": "file_1", "json_file": "file_2"}
    jobs.commit(turn, Step(cursor=None, done=50, result=result, finished=True), keep=False)
    at_last = tltw("drift", "--last").out

    assert "… and 10 more.\n" in under_way
    assert "… and 10 more; the files have them all.\n" in at_last
