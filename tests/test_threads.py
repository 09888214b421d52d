"""Sharing work out to threads: everything once, and nothing more after an error."""

import threading

import pytest

from opiscal.pairs.threads import share_out


@pytest.mark.parametrize("threads", [1, 2, 5, None])
def test_everything_is_done_once_in_a_room_of_the_thread(threads):
    done, rooms = [], []

    def room():
        rooms.append([])
        return rooms[-1]

    def work(thing, own):
        own.append(threading.get_ident())
        done.append(thing)

    share_out(range(50), work, room, threads)
    assert sorted(done) == list(range(50))
    assert all(len(set(own)) <= 1 for own in rooms)
    assert threads is None or len(rooms) == threads


@pytest.mark.parametrize("threads", [1, 2])
def test_nothing_is_begun_after_an_error_which_is_raised(threads):
    begun = []

    def work(thing, own):
        begun.append(thing)
        raise ValueError(f"thing {thing}")

    with pytest.raises(ValueError, match="thing"):
        share_out(range(100), work, list, threads)
    assert len(begun) <= threads


def test_no_things_are_no_work():
    share_out([], lambda thing, own: pytest.fail("there is none"), list)
