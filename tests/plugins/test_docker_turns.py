"""Pushes to one registry take turns."""

import threading

import pytest

from sandbox.plugins.docker.turns import Turns
from sandbox.plugins.protocol.provider import Cancelled

LIMIT = 20.0  # seconds
HOST = "registry.example.com"


def test_a_push_waits_for_another_one_to_the_same_registry_and_says_so() -> None:
    turns, cancelled = Turns(), threading.Event()
    waits, done = threading.Event(), threading.Event()
    told: list[str] = []

    def on_wait(text: str) -> None:
        told.append(text)
        waits.set()

    def push() -> None:
        with turns.turn(HOST, cancelled, on_wait):
            done.set()

    second = threading.Thread(target=push)
    with turns.turn(HOST, cancelled, told.append):
        second.start()
        assert waits.wait(LIMIT)
        assert not done.is_set()
    second.join(LIMIT)
    assert done.is_set()
    assert told == [f"waiting for another push to {HOST}, which may send layers of this image"]


def test_a_push_to_another_registry_does_not_wait() -> None:
    turns, cancelled = Turns(), threading.Event()
    told: list[str] = []
    with turns.turn(HOST, cancelled, told.append), turns.turn("localhost:5001", cancelled, told.append):
        assert told == []


def test_who_waits_is_stopped_with_the_run_and_leaves_the_turn_to_others() -> None:
    turns, cancelled = Turns(), threading.Event()
    with turns.turn(HOST, threading.Event(), lambda _: None):
        cancelled.set()
        with pytest.raises(Cancelled, match="was not begun"), turns.turn(HOST, cancelled, lambda _: None):
            pass
    with turns.turn(HOST, threading.Event(), lambda _: None):
        pass


def test_a_push_that_failed_does_not_block_the_next_one() -> None:
    turns = Turns()
    with pytest.raises(RuntimeError), turns.turn(HOST, threading.Event(), lambda _: None):
        raise RuntimeError
    told: list[str] = []
    with turns.turn(HOST, threading.Event(), told.append):
        assert told == []
