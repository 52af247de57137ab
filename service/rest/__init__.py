"""The REST metaservice's front: request -> context -> shape -> plan. No I/O; nothing foreign runs here.

path, query, headers, body -> RequestContext -> Shape -> Planner -> Plan with a program over ctx
                              (values)          (none)             (runs in the session's worker)
"""
