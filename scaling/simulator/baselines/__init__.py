"""Well-known autoscalers, written anew from their documentation, under the same conditions as ours."""
