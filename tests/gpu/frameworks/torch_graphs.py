#!/usr/bin/env python3
"""CUDA graphs of PyTorch: capture and replay of inference, of a training step, random numbers, a shared pool."""
import os

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

from result import case, holds, main, need, tell  # noqa: E402

torch = need("torch")


def warmed(function):
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            function()
    torch.cuda.current_stream().wait_stream(side)


@case
def inference():
    torch.manual_seed(11)
    net = torch.nn.Sequential(*[torch.nn.Linear(128, 128) for _ in range(10)]).cuda().eval()
    x = torch.randn(8, 128, device="cuda")
    with torch.inference_mode():
        warmed(lambda: net(x))
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            y = net(x)
        for step in range(5):
            x.fill_(step)
            graph.replay()
        expected = net(x)
        holds("as eager", torch.allclose(y, expected, atol=1e-5))
        tell("replayed", y)


@case
def training_step():
    torch.manual_seed(12)
    net = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.ReLU(), torch.nn.Linear(64, 4)).cuda()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2, capturable=True)
    x = torch.randn(64, 32, device="cuda")
    y = torch.randn(64, 4, device="cuda")

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    warmed(step)
    graph = torch.cuda.CUDAGraph()
    optimizer.zero_grad(set_to_none=True)
    with torch.cuda.graph(graph):
        loss = step()
    losses = []
    for _ in range(20):
        graph.replay()
        losses.append(loss.item())
    holds("it learns", losses[-1] < losses[0])
    tell("losses", torch.tensor(losses, dtype=torch.float64))


@case
def random_numbers():
    torch.manual_seed(13)
    warmed(lambda: torch.rand(8, device="cuda"))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        x = torch.rand(1000, device="cuda")
    seen = []
    for _ in range(3):
        graph.replay()
        seen.append(x.clone())
    holds("each replay draws new numbers", not torch.equal(seen[0], seen[1]))
    tell("three draws", torch.cat(seen))


@case
def copies_with_the_host():
    source = torch.arange(1000, dtype=torch.float32).pin_memory()
    target = torch.empty(1000, dtype=torch.float32, pin_memory=True)
    x = torch.empty(1000, device="cuda")
    warmed(lambda: x.copy_(source, non_blocking=True))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        x.copy_(source, non_blocking=True)
        y = x * 2
        target.copy_(y, non_blocking=True)
    right = True
    for step in range(4):
        source.fill_(step + 1)
        graph.replay()
        torch.cuda.synchronize()
        right = right and bool((target == 2 * (step + 1)).all())
    holds("each replay reads the host again", right)


@case
def shared_pool():
    x = torch.ones(100, device="cuda")
    warmed(lambda: x + 1)
    first, second = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
    with torch.cuda.graph(first):
        y = x + 1
    with torch.cuda.graph(second, pool=first.pool()):
        z = y * 3
    first.replay()
    second.replay()
    holds("two graphs of one pool", bool((z == 6).all()))


if __name__ == "__main__":
    main()
