"""Which worker serves which job: bind for life, queue, deadline, kill."""
