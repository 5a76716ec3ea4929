#!/usr/bin/env python3
"""A DataLoader with worker processes and pinned memory that feeds a network."""
import os

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

from result import case, holds, main, need, tell  # noqa: E402

torch = need("torch")


class Squares(torch.utils.data.Dataset):
    def __len__(self):
        return 2000

    def __getitem__(self, index):
        return torch.full((64,), index / 2000), torch.tensor((index / 2000) ** 2)


def epoch(name, **options):
    torch.manual_seed(14)
    net = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1)).cuda()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    loader = torch.utils.data.DataLoader(Squares(), batch_size=100, shuffle=True, pin_memory=True,
                                         generator=torch.Generator().manual_seed(1), **options)
    losses, seen, pinned = [], 0, True
    for x, y in loader:
        pinned = pinned and x.is_pinned()
        seen += len(x)
        x, y = x.cuda(non_blocking=True), y.cuda(non_blocking=True)
        optimizer.zero_grad(set_to_none=True)
        loss = (net(x).squeeze(1) - y).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    holds(f"{name}: all seen", seen == 2000, seen)
    holds(f"{name}: all pinned", pinned)
    tell(f"{name}: losses", torch.tensor(losses, dtype=torch.float64))


@case
def forked_workers():
    epoch("fork", num_workers=2, multiprocessing_context="fork")


@case
def spawned_workers():
    epoch("spawn", num_workers=2, multiprocessing_context="spawn", persistent_workers=True)


if __name__ == "__main__":
    main()
