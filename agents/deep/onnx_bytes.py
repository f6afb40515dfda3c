"""A policy's torch module as ONNX."""

import logging
import warnings

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from torch import nn


def onnx_bytes(module: nn.Module, of: "gym.Space[object]", actions: "gym.Space[object]") -> bytes:
    """A module as the bytes of an ONNX file: input `observation` [N, ...], outputs `action` and maybe `values`.

    Args:
        module: of observations [N, ...] actions [N, ...], and of discrete ones values [N, A] too.
        of: the space of one observation.
        actions: the space of one action.

    Raises:
        ImportError: onnxscript is not installed.
        RuntimeError: the module has no form there.
    """
    import onnxscript  # noqa: F401  the exporter's

    example = np.stack([np.asarray(of.sample()) for _ in range(2)])
    logger = logging.getLogger("torch.onnx")
    before, logger.level = logger.level, logging.ERROR
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the exporter's own
            made = torch.onnx.export(
                module.eval(),
                (torch.from_numpy(example),),
                input_names=["observation"],
                output_names=["action", "values"] if isinstance(actions, spaces.Discrete) else ["action"],
                dynamic_shapes=({0: torch.export.Dim("N")},),
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # of the exporter's own
        raise RuntimeError(f"the network has no form in ONNX: {error}") from error
    finally:
        logger.level = before
    assert made is not None
    data: bytes = made.model_proto.SerializeToString()
    return data
