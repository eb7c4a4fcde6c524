"""Whether a plan holds: an independent second look at ``plan.json``, whoever wrote it.

Nothing here comes from the formulation, not even indirectly: rules are checked against the plan's
own counts and routes, losses by rerouting explicitly, calls between services by pairing places.
The one thing that a finished plan cannot show, that nothing cheaper exists, is derived anew by a
``Bound`` that the caller hands in.
"""
