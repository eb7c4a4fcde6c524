"""A plan as a policy: foresee, plan, act ahead, correct by what is seen, and begin again."""
