#!/usr/bin/env python3
"""Scaled dot product attention of PyTorch with each of its backends, forward and backward."""
from result import Skip, case, holds, main, need, tell

torch = need("torch")
need("torch.nn.attention")


def attention(name, dtype, tolerance):
    backend = getattr(torch.nn.attention.SDPBackend, name, None)
    if backend is None:
        raise Skip(f"this PyTorch has no {name}")
    torch.manual_seed(15)
    q, k, v = (torch.randn(2, 4, 256, 64, device="cuda", dtype=dtype, requires_grad=True) for _ in range(3))
    try:
        with torch.nn.attention.sdpa_kernel(backend):
            out = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    except RuntimeError as error:
        raise Skip(f"{name}: {str(error).splitlines()[0]}") from error
    out.float().square().mean().backward()
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        expected = torch.nn.functional.scaled_dot_product_attention(*(x.detach().double() for x in (q, k, v)), is_causal=True)
    worst = float((out.detach().double() - expected).abs().max())
    holds(f"{name} is near", worst < tolerance, worst)
    tell(f"{name} forward", out)
    tell(f"{name} gradient of v", v.grad)
    tell(f"{name} gradient of q", q.grad)


@case
def math():
    attention("MATH", torch.float32, 1e-2)


@case
def flash():
    attention("FLASH_ATTENTION", torch.bfloat16, 5e-2)


@case
def efficient():
    attention("EFFICIENT_ATTENTION", torch.float32, 1e-2)


@case
def cudnn():
    attention("CUDNN_ATTENTION", torch.bfloat16, 5e-2)


@case
def encoder():
    torch.manual_seed(16)
    layer = torch.nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True).cuda().eval()
    with torch.inference_mode():
        tell("encoder", layer(torch.randn(3, 50, 64, device="cuda")))


if __name__ == "__main__":
    main()
