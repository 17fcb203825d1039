"""The experiments of Michelucci, *An Introduction to Autoencoders*, arXiv 2201.03898, done again."""
