"""Caffe's messages, declared for Google's own protocol-buffer library, to write test files with.

Field numbers and types are those of caffe.proto; fields that weights do not need are left out, but
for some that a reader must step over.
"""

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

FIELD = descriptor_pb2.FieldDescriptorProto
# Message -> (name, number, type or message, repeated, packed).
MESSAGES = {
    "BlobShape": [("dim", 1, "INT64", True, True)],
    "BlobProto": [
        ("num", 1, "INT32", False, False),
        ("channels", 2, "INT32", False, False),
        ("height", 3, "INT32", False, False),
        ("width", 4, "INT32", False, False),
        ("data", 5, "FLOAT", True, True),
        ("diff", 6, "FLOAT", True, True),
        ("shape", 7, "BlobShape", False, False),
        ("double_data", 8, "DOUBLE", True, True),
    ],
    "LayerParameter": [
        ("name", 1, "STRING", False, False),
        ("type", 2, "STRING", False, False),
        ("bottom", 3, "STRING", True, False),
        ("loss_weight", 5, "FLOAT", True, False),
        ("blobs", 7, "BlobProto", True, False),
        ("phase", 10, "INT32", False, False),
    ],
    "V1LayerParameter": [
        ("bottom", 2, "STRING", True, False),
        ("name", 4, "STRING", False, False),
        ("type", 5, "INT32", False, False),
        ("blobs", 6, "BlobProto", True, False),
        ("blobs_lr", 7, "FLOAT", True, False),
    ],
    "NetParameter": [
        ("name", 1, "STRING", False, False),
        ("layers", 2, "V1LayerParameter", True, False),
        ("input", 3, "STRING", True, False),
        ("layer", 100, "LayerParameter", True, False),
    ],
}


def declare(packed: bool = True):
    """Message name -> class; with `packed` False, numbers are written a field each."""
    file = descriptor_pb2.FileDescriptorProto(name=f"caffe_{packed}.proto", package="caffe")
    for message, fields in MESSAGES.items():
        declared = file.message_type.add(name=message)
        for name, number, kind, repeated, packable in fields:
            label = FIELD.LABEL_REPEATED if repeated else FIELD.LABEL_OPTIONAL
            field = declared.field.add(name=name, number=number, label=label)
            if kind in MESSAGES:
                field.type, field.type_name = FIELD.TYPE_MESSAGE, f".caffe.{kind}"
            else:
                field.type = getattr(FIELD, f"TYPE_{kind}")
            if packable:
                field.options.packed = packed
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"caffe.{name}"))
        for name in MESSAGES
    }


def write_net(layers, generation: str = "layer", packed: bool = True, double: bool = False):
    """The bytes of a trained net, with what training leaves around the weights.

    Args:
        layers: name -> arrays in Caffe's layout.
        generation: "layer", or "layers" with the four-number shapes that came before.
        packed: numbers in one field a blob, or in a field each.
        double: numbers as float64.
    """
    net = declare(packed)["NetParameter"](name="a net", input=["data"])
    getattr(net, generation).add(name="data", bottom=["nothing"])
    for name, arrays in layers.items():
        layer = getattr(net, generation).add(name=name, bottom=["data"])
        if generation == "layer":
            layer.type, layer.phase, layer.loss_weight[:] = "Convolution", 1, [0.5]
        else:
            layer.type, layer.blobs_lr[:] = 4, [1, 2]
        for array in arrays:
            blob = layer.blobs.add()
            (blob.double_data if double else blob.data).extend(array.ravel().tolist())
            if generation == "layer":
                blob.shape.dim.extend(array.shape)
            else:
                sides = (1,) * (4 - array.ndim) + array.shape
                blob.num, blob.channels, blob.height, blob.width = sides
    getattr(net, generation)[-1].blobs[-1].diff.extend(np.ones(3))
    return net.SerializeToString()
