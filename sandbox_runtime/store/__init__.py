"""One session's records: JSON documents in one SQLite file.

SessionDatabase ── begin / commit / rollback: one transaction per request
  └── SessionStore ── collection(name)
        └── ResourceStore ── insert get replace update delete list search find …

conditions values paths      a query's filters → SQL that no name or value can break
selection                    sort, page, fields
rows catalog learned         records, and the counters and types beside them
indexes                      come by themselves
patches revisions relations  RFC 6902 and 7396, ETags, json-server's foreign keys
"""
