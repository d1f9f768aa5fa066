"""The training loop: what it learns, keeps, refuses and survives."""

import copy
import math
import os
import random
import subprocess
import sys
import textwrap
import time
from itertools import chain

import pytest
import torch
from torch import nn

from cnnbook import training
from cnnbook.training import checkpoints, parallel, schedule
from cnnbook.training.code import fingerprint, same_code
from cnnbook.training.progress import Progress


def samples(count=96, seed=1):
    """Pictures whose class is the quarter that is bright."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(4, (count,), generator=draw)
    images = torch.rand(count, 1, 8, 8, generator=draw)
    for image, label in zip(images, labels.tolist(), strict=True):
        row, column = divmod(label, 2)
        image[0, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] += 0.5
    return images, labels


def small_net(seed=0, norm=True):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1),
        nn.BatchNorm2d(6) if norm else nn.Identity(),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(96, 4),
    )


FALL = {"after": None, "spoiled": None, "seen": 0}


def watched(images):
    """An augmentation that changes nothing, and may fall over."""
    FALL["seen"] += 1
    if FALL["after"] is not None and FALL["seen"] > FALL["after"]:
        raise KeyboardInterrupt
    return images * (math.nan if FALL["seen"] == FALL["spoiled"] else 1)


def train(net, **changes):
    settings = {"epochs": 3, "batch": 16, "rate": 0.05, "device": "cpu"}
    settings["augment"] = watched
    return training.fit(net, *samples(), **settings | changes)


def same(one, other):
    pairs = zip(
        one.state_dict().values(), other.state_dict().values(), strict=True
    )
    return all(torch.equal(left, right) for left, right in pairs)


# It learns


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimiser": "adamw", "rate": 0.01},
        {"schedule": "plateau"},
        {"schedule": "constant"},
        {"average": 0.9},
        {"smoothing": 0.1},
        {"augment": training.crops(1)},
        {"channels_last": False},
        {"precision": "bf16"},
    ],
    ids=lambda changes: "-".join(changes) or "as it is",
)
def test_it_learns(changes):
    net, held_out = small_net(), samples(64, seed=2)
    before = training.evaluate(net, *held_out)[1]
    history = train(net, epochs=8, validation=held_out, **changes)
    after = training.evaluate(net, *held_out)[1]
    assert not net.training
    assert before > 0.5 > 0.2 > after
    # under bf16 the validation is in bf16 too
    assert history["validation_error"][-1] == pytest.approx(after, abs=0.05)


def test_unlearnable_labels_are_not_learnt():
    images, labels = samples()
    mixed = labels[torch.randperm(len(labels))]
    net = small_net()
    training.fit(net, images, mixed, epochs=3, batch=16, device="cpu")
    assert training.evaluate(net, *samples(64, seed=2))[1] > 0.4


def test_bytes_are_read_as_shares_of_255():
    images, labels = samples()
    whole = (images / 1.5 * 255).round().byte()
    nets = small_net(), small_net()
    for net, inputs in zip(nets, (whole, whole / 255), strict=True):
        training.fit(net, inputs, labels, epochs=1, batch=16, device="cpu")
    assert same(*nets)


def test_auxiliary_outputs_go_to_the_loss_and_the_first_is_judged():
    class TwoHeads(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = small_net(), nn.Linear(64, 4)

        def forward(self, x):
            return self.body(x), self.head(x.flatten(1))

    def both(outputs, labels):
        main, side = (nn.functional.cross_entropy(o, labels) for o in outputs)
        return main + 0.3 * side

    net = TwoHeads()
    start = copy.deepcopy(net.head.weight)
    history = train(net, epochs=8, loss=both)
    assert history["error"][-1] < 0.2
    assert not torch.equal(start, net.head.weight)


def test_the_seed_decides_everything():
    nets = [small_net() for _ in range(3)]
    for net, seed in zip(nets, (0, 0, 1), strict=True):
        torch.manual_seed(random.randrange(1000))  # must not matter
        train(net, seed=seed, augment=training.crops(1))
    assert same(nets[0], nets[1])
    assert not same(nets[0], nets[2])


def test_an_epoch_shows_every_sample_once():
    images = torch.arange(50.0).reshape(50, 1, 1, 1)
    seen = []

    class Spy(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(1, 2)

        def forward(self, x):
            seen.append(x.flatten().tolist())
            return self.layer(x.flatten(1) * 0)

    labels = torch.zeros(50, dtype=torch.long)
    training.fit(Spy(), images, labels, epochs=2, batch=16, device="cpu")
    assert [len(batch) for batch in seen] == [13, 13, 12, 12] * 2
    first, second = [*chain(*seen[:4])], [*chain(*seen[4:])]
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second != list(range(50))


# The rate


def test_cosine_rises_in_a_line_and_falls_to_nothing():
    factors = [schedule.cosine(step, 100, 0.1) for step in range(100)]
    assert factors[:10] == pytest.approx([n / 10 for n in range(1, 11)])
    assert factors[10] == 1
    assert factors[55] == pytest.approx(0.5)
    assert factors[99] < 0.001
    assert schedule.cosine(0, 10, 0.0) == 1


def test_a_plateau_divides_the_rate_by_ten():
    plateau = schedule.Plateau(patience=2)
    for error in (0.5, 0.4, 0.4, 0.41, 0.4):
        plateau.see(error)
    assert plateau.factor == pytest.approx(0.1)
    plateau.see(0.3)
    assert (plateau.best, plateau.waited) == (0.3, 0)


def test_the_history_tells_the_rate_that_was_used():
    rates = train(small_net(), schedule="constant")["rate"]
    assert rates == [0.05] * 3


# Augmentation


def test_crops_shift_each_image_by_itself():
    torch.manual_seed(0)
    images = torch.zeros(64, 2, 9, 9)
    images[:, :, 4, 4] = 1
    moved = training.crops(3)(images)
    assert moved.shape == images.shape
    assert torch.equal(moved.sum((2, 3)), torch.ones(64, 2))
    assert torch.equal(moved[:, 0], moved[:, 1])
    places = {tuple(place[2:].tolist()) for place in moved.nonzero()}
    assert len(places) > 20
    assert all(1 <= row <= 7 and 1 <= col <= 7 for row, col in places)


def test_flips_mirror_about_half():
    torch.manual_seed(0)
    images = torch.rand(200, 1, 2, 5)
    flipped = training.flips()(images)
    mirrored = (flipped == images.flip(3)).flatten(1).all(1)
    kept = (flipped == images).flatten(1).all(1)
    assert (mirrored ^ kept).all()
    assert 70 < mirrored.sum() < 130


# Checkpoints


def interrupted(net, folder, after, **changes):
    """Train until so many batches were seen, then fall over."""

    FALL.update(after=after, seen=0)
    with pytest.raises(KeyboardInterrupt):
        train(net, folder=folder, minutes=0, **changes)
    FALL.update(after=None)


@pytest.mark.parametrize("average", [None, 0.9])
@pytest.mark.parametrize("after", [0, 1, 5, 6, 7, 17])
def test_what_was_interrupted_ends_the_same(
    tmp_path, monkeypatch, after, average
):
    monkeypatch.setattr("cnnbook.training.loop.LOOK", 1)
    undisturbed, other = small_net(), small_net()
    held_out = samples(64, seed=2)
    whole = train(undisturbed, validation=held_out, average=average)
    interrupted(other, tmp_path, after, validation=held_out, average=average)
    resumed = small_net(seed=5)  # its first weights must not matter
    if after == 0:
        resumed = small_net()
    history = train(
        resumed, folder=tmp_path, validation=held_out, average=average
    )
    assert same(undisturbed, resumed)
    for column in ("loss", "error", "rate", "validation_loss"):
        assert history[column] == whole[column]


def test_a_finished_training_is_not_done_again(tmp_path):
    first, again = small_net(), small_net(seed=3)
    history = train(first, folder=tmp_path)
    assert train(again, folder=tmp_path).epochs == history.epochs
    assert same(first, again)


def test_a_torn_checkpoint_gives_way_to_the_one_before(tmp_path, capsys):
    undisturbed, resumed = small_net(), small_net()
    train(undisturbed)
    interrupted(small_net(), tmp_path, 14)
    torn = tmp_path / "last.ckpt"
    torn.write_bytes(torn.read_bytes()[:-100])
    train(resumed, folder=tmp_path)
    assert same(undisturbed, resumed)
    assert "last.ckpt is torn: its " in capsys.readouterr().out


@pytest.mark.parametrize("rubbish", [b"", b"rubbish", b"rubbish\nmore"])
def test_two_torn_checkpoints_mean_a_new_start(tmp_path, capsys, rubbish):
    undisturbed, resumed = small_net(), small_net()
    train(undisturbed)
    for name in ("last.ckpt", "before.ckpt"):
        (tmp_path / name).write_bytes(rubbish)
    train(resumed, folder=tmp_path)
    assert same(undisturbed, resumed)
    assert capsys.readouterr().out.count("is not a checkpoint of this") == 2


@pytest.mark.parametrize(
    "changes", [{"rate": 0.1}, {"epochs": 4}, {"seed": 1}, {"batch": 8}]
)
def test_another_trainings_checkpoint_is_refused_and_kept(tmp_path, changes):
    train(small_net(), folder=tmp_path)
    before = (tmp_path / "last.ckpt").read_bytes()
    (name,) = changes
    with pytest.raises(training.CheckpointError, match=f"whose {name} is"):
        train(small_net(), folder=tmp_path, **changes)
    assert (tmp_path / "last.ckpt").read_bytes() == before


def test_another_nets_checkpoint_is_refused(tmp_path):
    train(small_net(), folder=tmp_path)
    with pytest.raises(training.CheckpointError, match="whose weights is"):
        train(small_net(norm=False), folder=tmp_path)


def mean_loss(outputs, targets):
    return nn.functional.cross_entropy(outputs, targets)


def mended_loss(outputs, targets):
    return 2 * nn.functional.cross_entropy(outputs, targets)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"loss": mean_loss}, {"loss": mended_loss}),
        ({}, {"loss": nn.CrossEntropyLoss(label_smoothing=0.1)}),
        ({}, {"augment": training.flips()}),
        ({"augment": training.crops(2)}, {"augment": training.crops(1)}),
    ],
    ids=["code", "option", "none", "closure"],
)
def test_a_mended_training_is_not_taken_for_the_old_one(
    tmp_path, before, after
):
    train(small_net(), folder=tmp_path, **before)
    train(small_net(), folder=tmp_path, **before)  # the same: nothing to do
    with pytest.raises(training.CheckpointError, match="written otherwise"):
        train(small_net(), folder=tmp_path, **after)


def test_a_mended_net_is_not_taken_for_the_old_one():
    def net_of(factor):
        class Net(nn.Module):
            def forward(self, x):
                return factor * x

        return nn.Sequential(Net())

    def other():
        class Net(nn.Module):
            def forward(self, x):
                return x.relu()

        return nn.Sequential(Net())

    assert fingerprint(net_of(2)) == fingerprint(net_of(2))
    assert fingerprint(net_of(2)) != fingerprint(net_of(3))
    assert fingerprint(net_of(2)) != fingerprint(other())
    here, digest = fingerprint(net_of(2))
    assert same_code(["3.9", digest], [here, "x"])
    assert same_code(None, [here, digest])
    assert not same_code([here, "y"], [here, digest])


def test_a_foreign_last_gives_way_to_ours_before(tmp_path, capsys):
    undisturbed, resumed = small_net(), small_net()
    train(undisturbed)
    interrupted(small_net(), tmp_path / "ours", 14)
    train(small_net(), folder=tmp_path / "theirs", seed=9)
    foreign = (tmp_path / "theirs" / "last.ckpt").read_bytes()
    (tmp_path / "ours" / "last.ckpt").write_bytes(foreign)
    train(resumed, folder=tmp_path / "ours")
    assert same(undisturbed, resumed)
    assert "whose seed is 9 where yours is 0" in capsys.readouterr().out


def test_a_checkpoint_runs_no_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    files = checkpoints.Checkpoints(tmp_path, {})
    files.save({"step": Evil()})
    assert files.load()[0] is None
    assert not (tmp_path / "harm").exists()


def test_a_full_disk_costs_no_earlier_checkpoint(tmp_path):
    """The system lets no file grow over 2 kB, as a full disk would."""
    script = tmp_path / "full.py"
    script.write_text(
        textwrap.dedent(
            """
            import resource, signal, sys
            import torch
            from cnnbook.training.checkpoints import Keeper

            class Training:
                weights = torch.zeros(3)
                def state_dict(self):
                    return {"weights": self.weights}
                def load_state_dict(self, saved):
                    self.weights = saved["weights"]

            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            training = Training()
            keeper = Keeper(sys.argv[1], {}, minutes=1)
            keeper.save(training)
            resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))
            training.weights = torch.ones(9999)
            keeper.save(training)
            keeper.resume(training)
            assert training.weights.tolist() == [0, 0, 0]
            """
        )
    )
    folder = tmp_path / "kept"
    done = subprocess.run(
        [sys.executable, script, folder],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "No checkpoint could be written to " in done.stdout
    assert "the training goes on" in done.stdout
    assert [path.name for path in folder.iterdir()] == ["last.ckpt"]


KILLS = """
import os, random, signal, sys, time
import torch
torch.set_num_threads(1)
sys.path.insert(0, {tests!r})
from test_fit import samples, small_net
from cnnbook import training
from cnnbook.training import loop
loop.LOOK = 1

def train(folder):
    net = small_net()
    training.fit(
        net, *samples(512), epochs=20, batch=16, rate=0.05, device="cpu",
        average=0.9, augment=training.crops(1), folder=folder,
        minutes=0.0005, validation=samples(64, seed=2),
    )
    return net.state_dict()

began = time.monotonic()
wanted = train("undisturbed")
longest = (time.monotonic() - began) / 24  # so 20 of them do not reach the end
draw, kills = random.Random(0), 0
while True:
    child = os.fork()  # which has torch in memory already
    if child == 0:
        torch.save(train("killed"), "end.pt")
        os._exit(0)
    if kills < 20:
        time.sleep(draw.uniform(0, longest))
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if kills < 20:
        assert os.WIFSIGNALED(status), "it was done before the last kill"
        kills += 1
        continue
    break

end = torch.load("end.pt", weights_only=True)
assert all(torch.equal(wanted[name], end[name]) for name in wanted)
print(kills, "kills,", len(os.listdir("killed")), "checkpoints")
"""


def test_twenty_kills_change_nothing(tmp_path):
    tests = os.path.dirname(os.path.abspath(__file__))
    done = subprocess.run(
        [sys.executable, "-c", KILLS.format(tests=tests)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "20 kills, 2 checkpoints\n"


# What goes wrong


def test_a_loss_that_is_no_number_is_named_by_its_step(tmp_path):
    FALL.update(seen=0, spoiled=8)
    with pytest.raises(training.TrainingError, match="loss at step 8 is nan"):
        train(small_net(), folder=tmp_path)
    FALL.update(spoiled=None)
    # what was kept is from before it, and the training can go on from there
    assert len(train(small_net(), folder=tmp_path)) == 3


def test_a_rate_that_is_too_large_is_found_out():
    with pytest.raises(training.TrainingError, match="a smaller rate"):
        train(small_net(norm=False), rate=1e30, schedule="constant")


class Hungry(nn.Module):
    """A network with room for so many samples and no more."""

    def __init__(self, room):
        super().__init__()
        self.room, self.net = room, small_net()

    def forward(self, images):
        if len(images) > self.room:
            raise torch.OutOfMemoryError
        return self.net(images)


@pytest.mark.parametrize(("room", "fits"), [(5, 4), (8, 8), (1, 1)])
def test_a_batch_that_is_too_large_is_told_what_fits(room, fits):
    with pytest.raises(training.TrainingError, match=f"batch={fits} does"):
        train(Hungry(room))


def test_a_net_that_never_fits_is_told_so():
    with pytest.raises(training.TrainingError, match="Not even one sample"):
        train(Hungry(0))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"optimiser": "sdg"}, "no optimiser called 'sdg'; try one of: sgd"),
        ({"schedule": "step"}, "no schedule called 'step'; try one of: cos"),
        ({"precision": "fp8"}, "no precision called 'fp8'; try one of: auto"),
        ({"epochs": 0}, "epochs=0 is too few"),
        ({"batch": 0}, "batch=0 is too few"),
        ({"schedule": "plateau"}, "needs validation="),
    ],
)
def test_wrong_settings_get_a_sentence(changes, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        train(small_net(), **changes)
    assert str(caught.value).endswith(".")


def test_images_and_labels_must_fit_together():
    images, labels = samples()
    with pytest.raises(ValueError, match=r"must be \(N, C, H, W\)"):
        training.fit(small_net(), images, labels[1:], epochs=1)


# What it shows


def test_a_bar_is_one_line_that_says_how_far(capsys, monkeypatch):
    monkeypatch.setattr("cnnbook.training.progress.PAUSE", -1)
    bar = Progress(epochs=2, steps=10, shown=True)
    bar.step(5, 1.0)
    bar.epoch("error 3 %")
    bar.step(12, 0.5)
    bar.close(20)
    lines = capsys.readouterr().out.split("\r")
    assert lines[1].startswith("epoch 1 of 2, 25%")
    assert "epoch 2 of 2, 60%" in lines[2]
    assert "s left | error 3 %" in lines[2]
    assert max(map(len, lines)) <= 81


def test_nothing_is_shown_where_nobody_looks(capsys):
    train(small_net())
    assert capsys.readouterr().out == ""


def test_a_history_draws_and_writes_itself(tmp_path):
    history = train(small_net(), validation=samples(64, seed=2))
    axes = history.plot()
    assert [text.get_text() for text in axes.texts] == [
        "training",
        "validation",
    ]
    history.to_json(tmp_path / "history.json")
    assert '"validation_error"' in (tmp_path / "history.json").read_text()
    assert repr(history).startswith("3 epochs, loss ")
    assert repr(training.History()) == "History of no epoch"


# Several processes


TEAM = """
import os, sys, torch
torch.set_num_threads(1)
sys.path.insert(0, {tests!r})
from test_fit import samples, small_net
from cnnbook import training

rank = int(os.environ.get("RANK", "0"))
images, labels = samples(102)
seen = []

def watch(batch):
    seen.extend(batch.sum((1, 2, 3)).tolist())
    if os.environ.get("DIE") == str(rank) and len(seen) > 60:
        os._exit(7)
    return batch

net = small_net(seed=rank, norm=False)
net[3] = torch.nn.Identity()  # dropout would draw apart
history = training.fit(
    net, images, labels, epochs=2, batch=16, rate=0.05, device="cpu",
    augment=watch, validation=samples(65, seed=2), folder=sys.argv[1],
)
torch.save(
    {{"net": net.state_dict(), "loss": history["loss"],
      "validation": history["validation_loss"], "seen": seen}},
    sys.argv[1] + f"/end-{{rank}}.pt",
)
"""


def launch(tmp_path, processes, die="nobody", name="kept"):
    script = tmp_path / "team.py"
    tests = os.path.dirname(os.path.abspath(__file__))
    script.write_text(TEAM.format(tests=tests))
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(processes), script, folder]
    if processes == 1:
        command = [sys.executable, script, folder]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
        env={**os.environ, "DIE": die},
    )
    ends = sorted(folder.glob("end-*.pt"))
    return done, [torch.load(end, weights_only=True) for end in ends]


def test_two_processes_take_the_steps_of_one(tmp_path):
    done, (alone,) = launch(tmp_path, 1, name="alone")
    assert done.returncode == 0, done.stderr
    done, ends = launch(tmp_path, 2)
    first, second = ends
    assert done.returncode == 0, done.stderr
    for column in ("loss", "validation"):
        assert first[column] == second[column]
        assert first[column] == pytest.approx(alone[column], rel=1e-4)
    for name, weight in alone["net"].items():
        assert torch.equal(first["net"][name], second["net"][name])
        assert torch.allclose(first["net"][name], weight, atol=1e-5), name
    # each sample is read once in an epoch, by one of the two
    assert len(alone["seen"]) == 2 * 102
    assert sorted(first["seen"] + second["seen"]) == sorted(alone["seen"])
    halves = [set(end["seen"][: len(end["seen"]) // 2]) for end in ends]
    assert not halves[0] & halves[1]
    assert len(halves[0] | halves[1]) == 102


def test_a_dead_process_ends_the_run_and_the_next_one_resumes(tmp_path):
    began = time.monotonic()
    done, ends = launch(tmp_path, 2, die="1")
    assert time.monotonic() - began < 60
    assert done.returncode != 0
    assert not ends
    assert "exitcode" in done.stderr  # torchrun says who fell
    done, ends = launch(tmp_path, 2)
    assert done.returncode == 0, done.stderr
    assert len(ends) == 2
    assert len(ends[0]["seen"]) == 53  # its share of the second epoch
    _, (alone,) = launch(tmp_path, 1, name="alone")
    for name, weight in alone["net"].items():
        assert torch.allclose(ends[0]["net"][name], weight, atol=1e-5), name


def test_shares_are_even_and_leave_nothing_out():
    batch = torch.arange(11)
    shares = [parallel.Team(rank, 3).share(batch) for rank in range(3)]
    assert [len(share) for share in shares] == [4, 4, 3]
    assert sorted(torch.cat(shares).tolist()) == list(range(11))
