"""The kinds of step, by area. A step says what is there now (`old`) and what will be there (`new`)."""

from workers.core.steps.pods import DeletePod

Step = DeletePod  # a union, once there is a second kind
__all__ = ["DeletePod", "Step"]
