#!/usr/bin/env python3
"""torch.compile: the inductor's Triton kernels for a function, a training step, and with CUDA graphs."""
import os
import tempfile

FOLDER = tempfile.TemporaryDirectory()
# A cache that an earlier run has filled would leave out the compilation that is to be tried.
os.environ["TORCHINDUCTOR_CACHE_DIR"] = FOLDER.name
os.environ["TRITON_CACHE_DIR"] = os.path.join(FOLDER.name, "triton")
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

from result import case, holds, main, need, tell  # noqa: E402

torch = need("torch")
need("triton")


@case
def function():
    torch.manual_seed(8)

    @torch.compile
    def f(x, w):
        return torch.nn.functional.gelu(x @ w).sum(-1) * 2 + torch.sin(x).mean(-1)

    x = torch.randn(300, 256, device="cuda")
    w = torch.randn(256, 512, device="cuda")
    y = f(x, w)
    expected = torch.nn.functional.gelu(x @ w).sum(-1) * 2 + torch.sin(x).mean(-1)
    holds("as eager", torch.allclose(y, expected, rtol=1e-3, atol=1e-2), float((y - expected).abs().max()))
    tell("compiled", y)


@case
def training_step():
    torch.manual_seed(9)
    net = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.SiLU(), torch.nn.LayerNorm(64), torch.nn.Linear(64, 1)).cuda()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    compiled = torch.compile(net)
    x = torch.randn(128, 64, device="cuda")
    losses = []
    for _ in range(8):
        optimizer.zero_grad(set_to_none=True)
        loss = compiled(x).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    holds("it learns", losses[-1] < losses[0])
    tell("losses", torch.tensor(losses, dtype=torch.float64))


@case
def reduce_overhead():
    torch.manual_seed(10)
    net = torch.nn.Sequential(*[torch.nn.Linear(128, 128) for _ in range(6)]).cuda().eval()
    compiled = torch.compile(net, mode="reduce-overhead")
    with torch.inference_mode():
        for step in range(4):
            x = torch.full((16, 128), float(step), device="cuda")
            y = compiled(x).clone()
        expected = net(x)
    holds("as eager", torch.allclose(y, expected, rtol=1e-3, atol=1e-3))
    tell("replayed", y)


if __name__ == "__main__":
    main()
