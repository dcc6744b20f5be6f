"""Two hypothesis profiles: `fixed`, the same examples every run; `long`, many random ones.

python -m pytest --hypothesis-profile=long
"""

from hypothesis import HealthCheck, settings

settings.register_profile("fixed", derandomize=True, max_examples=40, deadline=None, database=None)
settings.register_profile(
    "long", max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
settings.load_profile("fixed")
