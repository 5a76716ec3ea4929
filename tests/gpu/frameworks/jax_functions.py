#!/usr/bin/env python3
"""JAX: jit, grad, scan, vmap, loops, linear algebra, random numbers, convolutions, training."""
import os

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
os.environ.setdefault("XLA_FLAGS", "--xla_gpu_deterministic_ops=true")

from result import case, holds, main, need, tell  # noqa: E402

numpy = need("numpy")
jax = need("jax")
jnp = need("jax.numpy")


@case
def devices():
    tell("platform", jax.devices()[0].platform)
    tell("kind", jax.devices()[0].device_kind)
    tell("count", len(jax.devices()))


@case
def jit_and_random():
    x = jax.random.normal(jax.random.PRNGKey(0), (512, 512))
    tell("normal", x)
    tell("jit", jax.jit(lambda a: jnp.tanh(a @ a).sum(0))(x))
    tell("permutation", jax.random.permutation(jax.random.PRNGKey(1), 1000))


@case
def gradients():
    def loss(weights, x, y):
        return jnp.mean((jnp.tanh(x @ weights[0]) @ weights[1] - y) ** 2)

    keys = jax.random.split(jax.random.PRNGKey(2), 4)
    weights = [jax.random.normal(keys[0], (64, 128)) * 0.1, jax.random.normal(keys[1], (128, 1)) * 0.1]
    x, y = jax.random.normal(keys[2], (256, 64)), jax.random.normal(keys[3], (256, 1))
    step = jax.jit(jax.value_and_grad(loss))
    losses = []
    for _ in range(40):
        value, slopes = step(weights, x, y)
        weights = [weight - 0.05 * slope for weight, slope in zip(weights, slopes)]
        losses.append(float(value))
    holds("it learns", losses[-1] < losses[0])
    tell("losses", numpy.array(losses))
    tell("hessian", jax.hessian(lambda v: jnp.sum(jnp.sin(v) ** 2))(jnp.arange(6.0)))


@case
def scan_and_loops():
    def body(carry, x):
        carry = 0.9 * carry + jnp.sin(x)
        return carry, carry.sum()

    xs = jax.random.normal(jax.random.PRNGKey(3), (100, 32))
    last, sums = jax.jit(lambda v: jax.lax.scan(body, jnp.zeros(32), v))(xs)
    tell("scan", sums)
    tell("scan's carry", last)
    tell("while", jax.jit(lambda n: jax.lax.while_loop(lambda s: s[0] < n, lambda s: (s[0] + 1, s[1] * 1.01), (0, 1.0)))(50)[1])
    tell("cond", jax.jit(lambda v: jax.lax.cond(v.sum() > 0, lambda a: a * 2, lambda a: -a, v))(xs[0]))
    tell("fori", jax.jit(lambda v: jax.lax.fori_loop(0, 20, lambda i, s: s + v[i], jnp.zeros(32)))(xs))


@case
def vectorised():
    x = jax.random.normal(jax.random.PRNGKey(4), (10, 16, 16))
    tell("vmap", jax.vmap(lambda a: a @ a.T)(x))
    spd = jax.vmap(lambda a: a @ a.T + 16 * jnp.eye(16))(x)
    tell("cholesky", jnp.linalg.cholesky(spd))
    tell("eigenvalues", jnp.linalg.eigvalsh(spd))
    tell("fft", jnp.fft.fft(x))
    tell("sort", jnp.sort(x.reshape(-1)))
    tell("cumulative", jnp.cumsum(x.reshape(-1)))


@case
def convolution():
    keys = jax.random.split(jax.random.PRNGKey(5))
    image = jax.random.normal(keys[0], (2, 32, 32, 8))
    kernel = jax.random.normal(keys[1], (3, 3, 8, 16))
    apply = jax.jit(lambda a, k: jax.lax.conv_general_dilated(a, k, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")))
    y = apply(image, kernel)
    tell("convolution", y)
    tell("its gradient", jax.grad(lambda k: apply(image, k).sum())(kernel))


@case
def transfers():
    host = numpy.arange(1 << 20, dtype=numpy.float32)
    x = jax.device_put(host)
    holds("there and back", bool((numpy.asarray(x) == host).all()))
    y = jax.jit(lambda a: a + 1, donate_argnums=0)(x)
    holds("donated", bool((numpy.asarray(y) == host + 1).all()))


@case
def callback():
    seen = []
    jax.jit(lambda v: jax.debug.callback(lambda total: seen.append(float(total)), v.sum()))(jnp.ones(100))
    jax.effects_barrier()
    holds("the host is called", seen == [100.0], seen)


if __name__ == "__main__":
    main()
