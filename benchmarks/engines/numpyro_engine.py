"""NumPyro: one latent strength for each respondent, not centred; mean-field SVI and NUTS."""

from pathlib import Path
from typing import Any

from meter import Job, serve

__all__ = ["nuts", "svi"]

SVI = {20_000: (10_000, 0.02), 200_000: (3000, 0.05), 2_000_000: (2000, 0.05)}  # steps, rate


def _model(margin: Any, outcome: Any, respondent: Any, n: int) -> None:
    import jax.numpy as jnp
    import numpyro
    import numpyro.distributions as dist

    mu = numpyro.sample("mu", dist.Normal(0.0, 1.0))
    log_sd = numpyro.sample("log_sd", dist.HalfNormal(1.0))
    with numpyro.plate("respondents", n):
        z = numpyro.sample("z", dist.Normal(0.0, 1.0))
    logits = jnp.exp(mu + log_sd * z)[respondent] * margin
    numpyro.sample("votes", dist.Bernoulli(logits=logits), obs=outcome)


def _prepare(file: Path) -> tuple[tuple[Any, ...], Any]:
    """Arguments of the model, and where to start: its default start does not converge in SVI."""
    import jax.numpy as jnp
    import numpy as np
    from numpyro.infer import init_to_value

    data = np.load(file)
    n = int(data["respondent"].max()) + 1
    arrays = [jnp.asarray(data[name]) for name in ("margin", "outcome", "respondent")]
    values = {"mu": jnp.array(0.0), "log_sd": jnp.array(0.5), "z": jnp.zeros(n)}
    return (*arrays, n), init_to_value(values=values)


def _summary(mu: Any, log_sd: Any, note: str) -> dict[str, Any]:
    found = {"mu": float(mu.mean()), "log_sd": float(log_sd.mean()), "se": float(log_sd.std())}
    return found | {"note": note}


def svi(file: Path) -> Job:
    """Mean-field guide over all latents, Adam with cosine decay to a hundredth."""
    import jax
    import jax.numpy as jnp
    from numpyro.infer import SVI as Svi
    from numpyro.infer import Trace_ELBO
    from numpyro.infer.autoguide import AutoNormal
    from numpyro.optim import Adam

    arguments, start = _prepare(file)
    steps, rate = next(value for most, value in SVI.items() if len(arguments[0]) <= most)

    def falling(step: Any) -> Any:
        return rate * (0.01 + 0.99 * 0.5 * (1 + jnp.cos(jnp.pi * step / steps)))

    def job() -> dict[str, Any]:
        guide = AutoNormal(_model, init_loc_fn=start)
        engine = Svi(_model, guide, Adam(falling), Trace_ELBO())
        found = engine.run(jax.random.key(0), steps, *arguments, progress_bar=False)
        draws = guide.sample_posterior(jax.random.key(1), found.params, sample_shape=(1000,))
        return _summary(draws["mu"], draws["log_sd"], f"{steps:,} steps")

    return job


def nuts(file: Path) -> Job:
    """One chain of 300 + 300."""
    import jax
    import numpy as np
    from numpyro.diagnostics import effective_sample_size
    from numpyro.infer import MCMC, NUTS

    arguments, start = _prepare(file)

    def job() -> dict[str, Any]:
        chain = MCMC(
            NUTS(_model, init_strategy=start),
            num_warmup=300,
            num_samples=300,
            progress_bar=False,
        )
        chain.run(jax.random.key(0), *arguments)
        draws = chain.get_samples()
        effective = effective_sample_size(np.asarray(draws["log_sd"])[None])
        return _summary(draws["mu"], draws["log_sd"], f"{effective:.0f} effective draws of log sd")

    return job


if __name__ == "__main__":
    serve({"svi": svi, "nuts": nuts}, ("numpyro", "jax"))
