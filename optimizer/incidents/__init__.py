"""One cause, one incident: anomalies that follow from each other belong together.

``optimizer.incidents.grouping.incidents_of`` groups them; docs/incidents.md tells how and how well.
"""
