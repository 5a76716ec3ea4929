#!/usr/bin/env python3
"""Models of Hugging Face with random weights: generation and training. Nothing is downloaded."""
import os

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
os.environ["HF_HUB_OFFLINE"] = "1"

from result import case, holds, main, need, tell  # noqa: E402

torch = need("torch")
transformers = need("transformers")


def gpt2():
    torch.manual_seed(23)
    config = transformers.GPT2Config(n_layer=3, n_embd=128, n_head=4, vocab_size=1000, n_positions=256)
    return transformers.GPT2LMHeadModel(config).cuda()


@case
def generation():
    model = gpt2().eval()
    prompt = torch.arange(16, device="cuda").reshape(1, 16)
    with torch.inference_mode():
        greedy = model.generate(prompt, max_new_tokens=24, min_new_tokens=24, do_sample=False, pad_token_id=0)
        torch.manual_seed(24)
        sampled = model.generate(prompt, max_new_tokens=24, min_new_tokens=24, do_sample=True, pad_token_id=0)
    tell("greedy", greedy)
    tell("sampled", sampled)


@case
def training():
    model = gpt2().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    torch.manual_seed(25)
    tokens = torch.randint(0, 1000, (4, 64), device="cuda")
    losses = []
    for _ in range(8):
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(tokens, labels=tokens).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    holds("it learns", losses[-1] < losses[0], losses[-1])
    tell("losses", torch.tensor(losses, dtype=torch.float64))


@case
def encoder():
    torch.manual_seed(26)
    config = transformers.BertConfig(num_hidden_layers=2, hidden_size=128, num_attention_heads=4, intermediate_size=256,
                                     vocab_size=500)
    model = transformers.BertModel(config).cuda().eval()
    with torch.inference_mode():
        tell("bert", model(torch.arange(40, device="cuda").reshape(2, 20)).last_hidden_state)


if __name__ == "__main__":
    main()
