"""An optimizer without state, made anew from another one: of its class, with its settings."""

from keras.optimizers import LossScaleOptimizer, MultiOptimizer, Optimizer, OptimizerMap

from zoo.engine import keras_internals


def renewed(optimizer: Optimizer, learning_rate=None) -> Optimizer:
    """`optimizer` without its state. Nothing is deserialised, so classes and schedules of the user's own are kept.

    Args:
        optimizer: any Keras optimizer, wrapped ones included.
        learning_rate: number or schedule that replaces its own; None keeps it.

    Returns:
        A new optimizer; `optimizer` itself, with its state, if its `get_config` does not say how to make another one.
    """
    if isinstance(optimizer, LossScaleOptimizer):
        inner = renewed(optimizer.inner_optimizer, learning_rate)
        return type(optimizer)(inner, optimizer.initial_scale, optimizer.dynamic_growth_steps, name=optimizer.name)
    if isinstance(optimizer, MultiOptimizer):
        choice = keras_internals.optimizer_of_variable(optimizer)
        if isinstance(choice, OptimizerMap):
            inner = {path: renewed(one, learning_rate) for path, one in choice.items()}
            choice = OptimizerMap(renewed(choice.default_optimizer, learning_rate), inner)
        return type(optimizer)(choice, optimizer.loss_scale_factor, optimizer.name)
    rate = keras_internals.learning_rate(optimizer) if learning_rate is None else learning_rate
    try:
        with keras_internals.constant_learning_rate(optimizer):
            config = optimizer.get_config()
        if rate is not None:
            config["learning_rate"] = float(rate) if isinstance(rate, int) else rate
        new = type(optimizer).from_config(config)
    except Exception:  # a class of the user's own may raise anything
        if learning_rate is not None:
            optimizer.learning_rate = learning_rate
        return optimizer
    keras_internals.copy_weight_decay(optimizer, new)
    return new


def has_own_rates(optimizer: Optimizer) -> bool:
    """Whether an optimizer follows a schedule, or has several rates, which no default may replace."""
    if isinstance(optimizer, LossScaleOptimizer):
        return has_own_rates(optimizer.inner_optimizer)
    return isinstance(optimizer, MultiOptimizer) or keras_internals.learning_rate(optimizer) is not None


def takes_fewer_weights(optimizer: Optimizer) -> bool:
    """Whether an optimizer can go on, with its state, when some of its weights are no longer trained."""
    if isinstance(optimizer, LossScaleOptimizer):
        return takes_fewer_weights(optimizer.inner_optimizer)
    return not (optimizer.built and (optimizer.use_ema or isinstance(optimizer, MultiOptimizer)))
