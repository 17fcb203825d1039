"""Which pretrained model serves data of one's own: measured on that data, next to what needs no model."""
