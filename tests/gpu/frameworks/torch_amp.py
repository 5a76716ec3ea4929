#!/usr/bin/env python3
"""PyTorch's automatic mixed precision: autocast in two formats, with and without a gradient scaler."""
import os

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS repeats itself

from result import case, holds, main, need, tell  # noqa: E402

torch = need("torch")


def train(dtype, scaled):
    torch.manual_seed(7)
    net = torch.nn.Sequential(torch.nn.Linear(96, 256), torch.nn.ReLU(), torch.nn.Linear(256, 256), torch.nn.ReLU(),
                              torch.nn.Linear(256, 8)).cuda()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    scaler = torch.amp.GradScaler("cuda", enabled=scaled)
    x = torch.randn(512, 96, device="cuda")
    y = torch.randn(512, 8, device="cuda")
    losses = []
    for _ in range(20):
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=dtype):
            loss = torch.nn.functional.mse_loss(net(x).float(), y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    holds(f"{dtype} learns", losses[-1] < losses[0], losses[-1])
    tell(f"losses {dtype}", torch.tensor(losses, dtype=torch.float64))
    tell(f"scale {dtype}", float(scaler.get_scale()))
    tell(f"weights {dtype}", net[2].weight)


@case
def bfloat16():
    train(torch.bfloat16, False)


@case
def float16():
    train(torch.float16, True)


@case
def overflow():
    scaler = torch.amp.GradScaler("cuda", init_scale=2.0**16)
    weights = torch.nn.Parameter(torch.ones(4, device="cuda"))
    optimizer = torch.optim.SGD([weights], lr=1.0)
    scaler.scale((weights * float("inf")).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    holds("the step is left out", bool((weights == 1).all()))
    tell("scale after overflow", float(scaler.get_scale()))


if __name__ == "__main__":
    main()
