"""`ftlab class FOLDER`: the guesses and exercises of a room, from the learners' notebooks."""

import argparse

from ftlab.cli.terminal import check_picture, place, save_picture


def add_class(parser: argparse.ArgumentParser) -> None:
    """The options of `ftlab class`."""
    parser.add_argument(
        "folder", metavar="FOLDER", type=place, help="where the learners' notebooks lie"
    )
    parser.add_argument(
        "--out", type=place, metavar="FILE", help="draw the guesses there (default: none)"
    )


def class_(asked: argparse.Namespace) -> int:
    """Print the room, and draw it where asked."""
    from ftlab.teach.classroom import read_class

    if asked.out:
        check_picture(asked.out)
    room = read_class(asked.folder)
    print(room)
    if asked.out:
        print(f"The picture is in {save_picture(room.picture(), asked.out)}.")
    return 0
