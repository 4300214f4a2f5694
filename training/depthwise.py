"""A depthwise convolution over time with channels last, and its gradient, as a few lines of C.

PyTorch's own takes half of a training step on a CPU: it has no kernel for one long row of taps per channel. This one is
compiled when it is first used; without a compiler, or on an accelerator, shifted products do the same.
"""

import ctypes
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F

SOURCE = r"""
// x [batch, frames + taps - 1, channels], w [taps, channels], b [channels] to y [batch, frames, channels]
void forward(long batch, long frames, long taps, long channels,
             const float *x, const float *w, const float *b, float *y) {
  for (long row = 0; row < batch; row++, x += (taps - 1) * channels)
    for (long t = 0; t < frames; t++, y += channels, x += channels) {
      for (long c = 0; c < channels; c++) y[c] = b[c];
      for (long k = 0; k < taps; k++)
        for (long c = 0; c < channels; c++) y[c] += x[k * channels + c] * w[k * channels + c];
    }
}

// Adds to the gradients of x, w and b, which start as zeros.
void backward(long batch, long frames, long taps, long channels, const float *restrict g, const float *restrict x,
              const float *restrict w, float *restrict gx, float *restrict gw, float *restrict gb) {
  for (long row = 0; row < batch; row++, x += (taps - 1) * channels, gx += (taps - 1) * channels)
    for (long t = 0; t < frames; t++, g += channels, x += channels, gx += channels) {
      for (long c = 0; c < channels; c++) gb[c] += g[c];
      for (long k = 0; k < taps; k++)
        for (long c = 0; c < channels; c++) {
          gx[k * channels + c] += g[c] * w[k * channels + c];
          gw[k * channels + c] += g[c] * x[k * channels + c];
        }
    }
}
"""


@cache
def compiled():
    """The C functions, or None where they cannot be built."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "depthwise.c"), Path(folder, "depthwise.so")
        source.write_text(SOURCE)
        command = [compiler, "-O3", "-march=native", "-ffast-math", "-shared", "-fPIC", "-o", library, source]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"depthwise.py: using PyTorch's convolution, {done.stderr.strip()}", file=sys.stderr)
            return None
        return ctypes.CDLL(str(library))


def call(function, sizes, *tensors):
    function(*map(ctypes.c_long, sizes), *(ctypes.c_void_p(tensor.data_ptr()) for tensor in tensors))


class Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, padded, weight, bias):
        padded, weight = padded.contiguous(), weight.contiguous()
        ctx.save_for_backward(padded, weight)
        (batch, length, channels), taps = padded.shape, len(weight)
        ctx.sizes = (batch, length - taps + 1, taps, channels)
        out = padded.new_empty(batch, ctx.sizes[1], channels)
        call(compiled().forward, ctx.sizes, padded, weight, bias, out)
        return out

    @staticmethod
    def backward(ctx, grad):
        padded, weight = ctx.saved_tensors
        grads = torch.zeros_like(padded), torch.zeros_like(weight), weight.new_zeros(weight.shape[1])
        call(compiled().backward, ctx.sizes, grad.contiguous(), padded, weight, *grads)
        return grads


class ShiftedProducts(torch.autograd.Function):
    """For an accelerator, whose library is slow at one long row of taps: all shifts as a view, multiplied and summed."""

    @staticmethod
    def forward(ctx, padded, weight, bias):
        ctx.save_for_backward(padded, weight)
        return (padded.unfold(1, weight.shape[1], 1) * weight).sum(-1) + bias

    @staticmethod
    def backward(ctx, grad):
        padded, weight = ctx.saved_tensors
        taps = weight.shape[1]
        around = F.pad(grad, (0, 0, taps - 1, taps - 1))
        to_padded = (around.unfold(1, taps, 1) * weight.flip(1)).sum(-1)
        to_weight = (padded.unfold(1, taps, 1) * grad[..., None]).sum((0, 1))
        return to_padded, to_weight, grad.sum((0, 1))


def depthwise(padded, weight, bias):
    """`padded` f32 [batch, frames + taps - 1, channels], `weight` [channels, 1, taps]; [batch, frames, channels]."""
    if padded.device.type == "cpu" and compiled() is not None:
        return Depthwise.apply(padded, weight[:, 0].t(), bias)
    return ShiftedProducts.apply(padded, weight[:, 0], bias)
