from __future__ import annotations

import fcntl
from pathlib import Path

from bridge.ops.board import Board


def end(board: Board) -> None:
    """As if its process had ended: the lock goes with it."""
    fcntl.flock(board._file, fcntl.LOCK_UN)


def counted(board: Board) -> list[int]:
    return [sum(reading.cells[0] for reading in board.readings())]


def test_boards_of_one_folder_are_read_together(tmp_path: Path) -> None:
    one, two = Board(3, folder=tmp_path), Board(3, folder=tmp_path)
    one.cells[0] += 5
    two.cells[0] += 7
    assert (one.number, two.number) == (0, 1)
    assert counted(one) == counted(two) == [12]


def test_what_an_ended_process_counted_stands_and_is_known_to_be_of_the_dead(tmp_path: Path) -> None:
    one, two = Board(3, folder=tmp_path), Board(3, folder=tmp_path)
    two.cells[0] = 7
    end(two)
    assert counted(one) == [7]
    assert {reading.number: reading.alive for reading in one.readings()} == {0: True, 1: False}


def test_the_next_process_goes_on_where_an_ended_one_left_off(tmp_path: Path) -> None:
    one, two = Board(3, folder=tmp_path), Board(3, folder=tmp_path)
    two.cells[0] = 7
    end(two)
    three = Board(3, folder=tmp_path)
    assert (three.number, three.cells[0]) == (1, 7)
    three.cells[0] += 1
    assert counted(one) == [8]
    assert len(list(tmp_path.iterdir())) == 2


def test_boards_of_another_layout_are_left_alone(tmp_path: Path) -> None:
    Board(3, folder=tmp_path, name="before").cells[0] = 100
    assert counted(Board(5, folder=tmp_path, name="after")) == [0]


def test_a_board_without_a_folder_is_memory() -> None:
    board = Board(2)
    board.cells[1] += 1
    assert [(reading.number, list(reading.cells)) for reading in board.readings()] == [(0, [0, 1])]
