"""Large fleets: one small problem per service against priced limits that services share."""
