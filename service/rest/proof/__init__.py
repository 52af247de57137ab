"""What a plan must do before it may answer a request: run, on records that we made up, as it would then.

shape ─► fixture + samples ─► the plan in a scratch session ─► replies and data ─► no fault
                           └► the built-in planner's in another ─► the same, if there is one
"""
