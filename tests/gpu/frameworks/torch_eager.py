#!/usr/bin/env python3
"""PyTorch without a compiler: products, convolutions, linear algebra, random numbers, streams, training."""
import os

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS repeats itself

from result import case, holds, main, need, tell  # noqa: E402

torch = need("torch")
DEVICE = "cuda"


@case
def random_numbers():
    torch.manual_seed(1)
    tell("normal", torch.randn(100_003, device=DEVICE))
    tell("uniform bf16", torch.rand(4097, device=DEVICE, dtype=torch.bfloat16))
    tell("permutation", torch.randperm(50_000, device=DEVICE))
    tell("dropout", torch.nn.functional.dropout(torch.ones(10_000, device=DEVICE), 0.3))


@case
def products():
    torch.manual_seed(2)
    for dtype in (torch.float32, torch.bfloat16, torch.float16, torch.float64):
        a = torch.randn(513, 257, device=DEVICE).to(dtype)
        b = torch.randn(257, 129, device=DEVICE).to(dtype)
        tell(f"matmul {dtype}", a @ b)
    tell("bmm", torch.bmm(torch.randn(16, 33, 65, device=DEVICE), torch.randn(16, 65, 17, device=DEVICE)))
    tell("addmm", torch.addmm(torch.ones(33, device=DEVICE), torch.randn(7, 5, device=DEVICE),
                              torch.randn(5, 33, device=DEVICE)))


@case
def convolutions():
    torch.manual_seed(3)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    x = torch.randn(8, 16, 32, 32, device=DEVICE, requires_grad=True)
    layer = torch.nn.Conv2d(16, 32, 3, padding=1, stride=2).to(DEVICE)
    y = layer(x)
    y.square().mean().backward()
    tell("forward", y)
    tell("gradient of the input", x.grad)
    tell("gradient of the weights", layer.weight.grad)
    tell("transposed", torch.nn.ConvTranspose2d(16, 8, 4, stride=2).to(DEVICE)(x))
    tell("batch norm", torch.nn.BatchNorm2d(16).to(DEVICE)(x))
    lstm = torch.nn.LSTM(24, 32, num_layers=2).to(DEVICE)
    tell("lstm", lstm(torch.randn(11, 4, 24, device=DEVICE))[0])


@case
def linear_algebra():
    torch.manual_seed(4)
    a = torch.randn(128, 128, device=DEVICE, dtype=torch.float64)
    spd = a @ a.T + 128 * torch.eye(128, device=DEVICE, dtype=torch.float64)
    tell("cholesky", torch.linalg.cholesky(spd))
    tell("solve", torch.linalg.solve(a, a[:, :7]))
    tell("singular values", torch.linalg.svdvals(a))
    tell("eigenvalues", torch.linalg.eigvalsh(spd))
    tell("qr", torch.linalg.qr(a)[1])
    tell("fft", torch.fft.fft2(a))
    tell("inverse fft", torch.fft.irfft(torch.fft.rfft(a)))


@case
def reductions_and_indexing():
    torch.manual_seed(5)
    x = torch.randn(1000, 333, device=DEVICE)
    tell("sum", x.sum(0))
    tell("cumsum", x.cumsum(1))
    tell("sort", x.sort(1)[0])
    tell("sort indices", x[0].argsort(stable=True))
    tell("topk", x.topk(9)[0])
    tell("unique", torch.randint(0, 100, (5000,), device=DEVICE).unique())
    tell("nonzero", (x > 2).nonzero())
    tell("gather", x.gather(1, torch.randint(0, 333, (1000, 5), device=DEVICE)))
    tell("histogram", torch.histc(x, 50, -3, 3))
    tell("sparse product", torch.eye(100, device=DEVICE).to_sparse_csr() @ x[:100])


@case
def copies_and_streams():
    host = torch.arange(1 << 20, dtype=torch.int32)
    pinned = host.pin_memory()
    side = torch.cuda.Stream()
    event = torch.cuda.Event(enable_timing=True)
    with torch.cuda.stream(side):
        x = pinned.to(DEVICE, non_blocking=True)
        y = x * 3 + 1
        event.record()
    torch.cuda.current_stream().wait_event(event)
    back = torch.empty(1 << 20, dtype=torch.int32, pin_memory=True)
    back.copy_(y, non_blocking=True)
    torch.cuda.synchronize()
    holds("pinned there and back", torch.equal(back, host * 3 + 1))
    holds("strided copy", torch.equal(host.view(1024, 1024).to(DEVICE)[::3, ::5].cpu(), host.view(1024, 1024)[::3, ::5]))
    holds("event is done", event.query())


@case
def errors():
    try:
        torch.empty(1 << 50, dtype=torch.uint8, device=DEVICE)
        holds("too much memory raises", False)
    except torch.cuda.OutOfMemoryError:
        holds("too much memory raises", True)
    try:
        torch.ones(2, 3, device=DEVICE) @ torch.ones(2, 3, device=DEVICE)
        holds("wrong shapes raise", False)
    except RuntimeError as error:
        tell("wrong shapes", str(error).splitlines()[0])


@case
def training():
    torch.manual_seed(6)
    net = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.GELU(), torch.nn.LayerNorm(128), torch.nn.Linear(128, 10))
    net.to(DEVICE)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    x = torch.randn(256, 64, device=DEVICE)
    labels = torch.randint(0, 10, (256,), device=DEVICE)
    losses = []
    for _ in range(30):
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(net(x), labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    holds("it learns", losses[-1] < losses[0], losses[-1])
    tell("losses", torch.tensor(losses, dtype=torch.float64))
    tell("weights", torch.cat([weights.reshape(-1) for weights in net.parameters()]))


if __name__ == "__main__":
    main()
