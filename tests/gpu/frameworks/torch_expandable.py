#!/usr/bin/env python3
"""PyTorch's allocator with expandable segments: reserved addresses that memory is mapped into."""
import os

for variable in ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"):  # the new name and the old one
    os.environ[variable] = "expandable_segments:True"

from result import case, holds, main, need, tell  # noqa: E402

torch = need("torch")
MIB = 1 << 20


@case
def segments_grow():
    blocks, size = [], 20 * MIB
    for step in range(12):
        blocks.append(torch.full((size + step * MIB,), step, dtype=torch.uint8, device="cuda"))
    holds("contents", all(bool((block == step).all()) for step, block in enumerate(blocks)))
    taken = torch.cuda.memory._snapshot()  # pylint: disable=protected-access
    holds("segments are expandable", any(segment.get("is_expandable") for segment in taken["segments"]))
    tell("reserved", torch.cuda.memory_reserved())
    del blocks[::2]
    torch.cuda.empty_cache()
    tell("reserved after freeing every second", torch.cuda.memory_reserved())
    holds("the others keep their contents", all(bool((block == 2 * step + 1).all()) for step, block in enumerate(blocks)))


@case
def training():
    torch.manual_seed(17)
    net = torch.nn.Sequential(torch.nn.Linear(256, 1024), torch.nn.ReLU(), torch.nn.Linear(1024, 256)).cuda()
    optimizer = torch.optim.AdamW(net.parameters())
    losses = []
    for step in range(10):
        x = torch.randn(64 * (step + 1), 256, device="cuda")
        optimizer.zero_grad(set_to_none=True)
        loss = (net(x) - x).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    tell("losses", torch.tensor(losses, dtype=torch.float64))


@case
def out_of_memory_and_back():
    total = torch.cuda.get_device_properties(0).total_memory
    try:
        torch.empty(2 * total, dtype=torch.uint8, device="cuda")
        holds("too much raises", False)
    except torch.cuda.OutOfMemoryError:
        holds("too much raises", True)
    holds("and leaves a working allocator", bool((torch.ones(MIB, device="cuda") == 1).all()))


if __name__ == "__main__":
    main()
