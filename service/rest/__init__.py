"""The REST metaservice's front: request -> context -> shape -> plan. Nothing foreign runs here.

path, query, headers, body -> RequestContext -> Shape -> Lookup -> Plan with a program over ctx
                              (values)          (none)    │         (runs in the session's worker)
                                                          ├─ builtin: rules
                                                          └─ model: a language model's, after its proof
"""
