#!/usr/bin/env python3
"""Trains a small network on the handwritten digits with PyTorch, the same way every time.

usage: digits_torch.py [--csv FILE] [--steps N] [--seed N]

Prints one JSON line a step: {"step": 1, "loss": 2.31, "bits": "0x1.27ae14p+1"}, then one with the accuracy on digits that
it did not train on and a digest of all weights. Two runs on GPUs of one kind with the same PyTorch print the same bits,
natively and remotely: compare the outputs as text. Data: samples/digits/DATA.md.
"""
import argparse
import hashlib
import json
import os
import pathlib

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic cuBLAS, read when the library loads

import torch  # noqa: E402

CSV = pathlib.Path(__file__).resolve().parents[2] / "samples" / "digits" / "optdigits.csv"


def load(path):
    rows = [[float(cell) for cell in line.split(",")] for line in path.read_text().splitlines()]
    table = torch.tensor(rows)
    images = (table[:, :64] / 16).reshape(-1, 1, 8, 8)
    labels = table[:, 64].long()
    unseen = torch.arange(1, len(rows) + 1) % 7 == 0
    return images[~unseen], labels[~unseen], images[unseen], labels[unseen]


def network():
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 3, padding=1), torch.nn.BatchNorm2d(16), torch.nn.ReLU(),
        torch.nn.Conv2d(16, 32, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Flatten(), torch.nn.Linear(32 * 16, 64), torch.nn.Dropout(0.1), torch.nn.ReLU(), torch.nn.Linear(64, 10))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=pathlib.Path, default=CSV)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    images, labels, unseen_images, unseen_labels = load(arguments.csv)
    device = torch.device("cuda")
    model = network().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    pinned_images, pinned_labels = images.pin_memory(), labels.pin_memory()
    order = torch.Generator().manual_seed(arguments.seed)

    for step in range(1, arguments.steps + 1):
        chosen = torch.randint(0, len(labels), (64,), generator=order)
        x = pinned_images[chosen].to(device, non_blocking=True)
        y = pinned_labels[chosen].to(device, non_blocking=True)
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        value = loss.item()
        print(json.dumps({"step": step, "loss": value, "bits": value.hex()}), flush=True)

    model.eval()
    with torch.inference_mode():
        guessed = model(unseen_images.to(device)).argmax(1).cpu()
    digest = hashlib.sha256()
    for parameter in model.parameters():
        digest.update(parameter.detach().cpu().numpy().tobytes())
    print(json.dumps({"accuracy": (guessed == unseen_labels).float().mean().item(), "weights": digest.hexdigest()}))


if __name__ == "__main__":
    main()
