"""Rows that are written as they come, against those of the same run that are all kept: with any Python that has torch."""

import json
import os
import struct
import sys

import torch

from trace_support import Program, check, name_all, run_all

from probe import pieces, record, recorder, tensors, tracer  # noqa: E402

TABLES = {b"c": ("trace", "calls"), b"t": ("trace", "tensors"), b"m": ("trace", "module_calls"), b"k": ("trace", "makers"),
          b"e": ("recording", "events"), b"n": ("recording", "tensors")}
CHILD = """
    import torch
    import torch.nn as nn

    class Step(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)
        def forward(self, x, last=None):
            y = self.fc(x)
            return torch.tanh(y) if last is None else last(y)
        def scaled(self, x):
            return x * self.fc.weight.sum() + x
    """
MAIN = """
    import torch
    import torch.nn as nn
    from child import Step

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.step = Step()
            self.register_buffer("mask", torch.ones(4).cumsum(0))
        def forward(self, x):
            kept = []
            for i in range(12):
                x = self.step(x) + self.mask
                x = self.step(x, last=nn.ReLU())
                x = self.step.scaled(x)
                x.mul_(0.5)
                y = x.unsqueeze(0)
                y.transpose_(0, 1)
                kept.append(y[:, 0])
                try:
                    self.step(x[:, :2])
                except RuntimeError:
                    pass
            return torch.stack(kept), x
    """


def read(descriptor):
    """The rows of each table."""
    data, at, found = os.pread(descriptor, 1 << 30, 0), 0, {}
    while at < len(data):
        table, count, size = struct.unpack_from("<4sII", data, at)
        rows = json.loads(data[at + 12:at + 12 + size])
        assert len(rows) == count
        found.setdefault(table[:1], []).extend(rows)
        at += 12 + size
    return found


def whole(report, found):
    """The report with the rows that were written."""
    for letter, rows in found.items():
        part, key = TABLES[letter]
        rest = report[part][key]
        if letter == b"m":
            calls = dict(rows)
            free = iter(rest)
            report[part][key] = [calls[i] if i in calls else next(free) for i in range(len(rows) + len(rest))]
        else:
            report[part][key] = rows + rest
    return report


def run(rows_at_once, symbolic, most=pieces.MOST_OPERATORS):
    """The report of a run, and the letters of the tables that were written."""
    descriptor = os.memfd_create("recording")
    names = [(tracer, "ROWS_AT_ONCE", rows_at_once), (recorder, "ROWS_AT_ONCE", rows_at_once), (tensors, "FEWEST_KEPT", 2),
             (recorder, "FEWEST_KEPT", 2), (tracer, "MOST_OPERATORS", most), (recorder, "MOST_OPERATORS", most)]
    before = [getattr(module, name) for module, name, _ in names]
    for module, name, value in names:
        setattr(module, name, value)
    try:
        report = run_with(pieces.Pieces(descriptor), symbolic)
    finally:
        for (module, name, _), value in zip(names, before):
            setattr(module, name, value)
    found = read(descriptor)
    os.close(descriptor)
    return whole(json.loads(json.dumps(report)), found), set(found)


def run_with(file, symbolic):
    program = Program({"child.py": ("child", CHILD), "main.py": ("own", MAIN)})
    traced = tracer.Tracer(program.registry, file)
    recorded = record.make_recorder(traced, symbolic)
    torch.manual_seed(0)
    import builtins
    build = builtins.__build_class__
    try:
        with traced.phase(0):
            model = program.load().Model()
    finally:
        builtins.__build_class__ = build
    model.eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    given = [torch.empty(3, 4, device="meta") if symbolic else torch.ones(3, 4)]
    record.name_ends(traced, recorded, model, given, {})
    with traced.phase(1):
        outputs = model(*given)
    section = recorded.section(outputs, ())
    return {"trace": traced.report(given, {}, outputs), "recording": recorded.report(), "section": section}


def test_pieces_and_the_rest_are_the_whole():
    for symbolic in (True, False):
        kept, letters = run(1 << 30, symbolic)
        assert not letters
        check(kept["trace"])
        for rows_at_once in (1, 5, 64):
            written, letters = run(rows_at_once, symbolic)
            assert letters == set(TABLES), letters
            check(written["trace"])
            assert written == kept, rows_at_once


def test_nothing_of_a_tensor_that_is_gone_is_kept():
    """Of a long loop, that is: tables of what is known of tensors don't grow with it."""
    text = """
        import torch
        class Model(torch.nn.Module):
            def forward(self, x):
                for i in range(30000):
                    x = x + 1
                return x
        """
    program = Program({"main.py": ("own", text)})
    traced = tracer.Tracer(program.registry, pieces.Pieces(os.memfd_create("recording")))
    recorded = record.make_recorder(traced, True)
    with traced.phase(0):
        model = program.load().Model()
    given = [torch.empty(2, device="meta")]
    record.name_ends(traced, recorded, model, given, {})
    with traced.phase(1):
        model(*given)
    assert traced.call_number() == 30000 and recorded.event_count() > 30000
    most = pieces.FEWEST_KEPT + pieces.ROWS_AT_ONCE
    for table in (traced.tensors.known, traced.tensors.storages, recorded.known, recorded.storages):
        assert len(table) <= most, len(table)
    for rows in (traced.calls, traced.tensors.table, recorded.events, recorded.tensors):
        assert len(rows) < 2 * pieces.ROWS_AT_ONCE


def test_what_is_too_long_says_so():
    for symbolic in (True, False):
        try:
            run(8, symbolic, most=100)
            assert False, "it was recorded"
        except pieces.TooLong as cause:
            assert str(cause).startswith("more than 100 "), cause


def test_a_piece_is_no_longer_than_it_may_be():
    descriptor = os.memfd_create("recording")
    file = pieces.Pieces(descriptor)
    before, pieces.MOST_PIECE = pieces.MOST_PIECE, 100
    try:
        rows = [["x" * 30, number] for number in range(9)]
        expected = list(rows)
        file.write(b"c", rows)
    finally:
        pieces.MOST_PIECE = before
    assert not rows and read(descriptor)[b"c"] == expected


if __name__ == "__main__":
    sys.exit(run_all(globals()))
