"""What people do with a pretrained encoder: classifiers, fine-tuning, linear heads, few labels."""
