"""The default config: every key once, with one comment. Configs and flags only override."""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder


def get_config() -> ConfigDict:
    """A fresh copy; its keys are the only ones there are."""
    config = ConfigDict()
    config.seed = 0  # everything random follows from it

    config.corpus = ConfigDict()
    config.corpus.root = placeholder(str)  # folder of the organisers' files; none: a synthetic corpus is made
    config.corpus.edition = placeholder(int)  # edition whose labels count; none: the newest found
    config.corpus.index_times = True  # read each frame's presentation time; False trusts the container's rate

    config.synthetic = ConfigDict()
    config.synthetic.size = "demo"  # tiny | demo | evidence
    config.synthetic.edition = 10  # whose folder layout the synthetic corpus is written in

    config.streams = ("video", "audio")  # the parts below that are used; a config may add its own
    config.video = face_stream("openai/clip-vit-base-patch32")
    config.audio = audio_stream("openai/whisper-base")

    config.store = ConfigDict()
    config.store.root = "features"  # folder of the feature store, shared by all runs
    config.store.dtype = "float16"  # float16 | bfloat16 | float32

    config.extract = ConfigDict()
    config.extract.source = "crops"  # crops: the organisers' faces | videos: faces found in the frames
    config.extract.images = placeholder(str)  # cropped_aligned | cropped | images; none: the first there is
    config.extract.tracks = ()  # names of tracks; empty: all
    config.extract.detector = "mtcnn"  # of source videos: a name, or package.module:factory
    config.extract.detect_every = 1  # search every n-th frame, interpolate between
    config.extract.batch_size = 32  # faces a batch, all devices together
    config.extract.audio_batch_size = 4  # chunks of sound a batch
    config.extract.dtype = "float32"  # what encoders compute in; bfloat16 on GPUs and TPUs
    config.extract.threads = 2  # that read, decode and resize

    config.evaluation = ConfigDict()
    config.evaluation.fill = "linear"  # how rows without a prediction get one
    config.evaluation.smoothing = "none"  # none | box | gaussian | median
    config.evaluation.smoothing_s = 0.0  # width of the smoothing in seconds
    config.evaluation.resamples = 1000  # bootstrap resamples over tracks
    return config


def face_stream(encoder: str) -> ConfigDict:
    """A stream of faces; every key of one."""
    stream = ConfigDict()
    stream.modality = "face"
    stream.encoder = encoder  # hub id, owner/name@revision, or folder
    stream.view = placeholder(str)  # what of the network's output; none: the encoder's default
    stream.region = "whole"  # whole | brows | middle | mouth
    stream.sample_hz = placeholder(float)  # vectors a second; none: one a row
    return stream


def audio_stream(encoder: str) -> ConfigDict:
    """A stream of sound; every key of one."""
    stream = ConfigDict()
    stream.modality = "audio"
    stream.encoder = encoder  # hub id, owner/name@revision, folder, or logmel | mfcc
    stream.view = placeholder(str)  # which layers: last | 3 | mean:5,6 | mean:last4; none: the default
    stream.align = "mean"  # mean of what is around each row | native clock | chunk: one heard for each row
    stream.window_s = 1.0  # width of that mean
    stream.chunk_s = placeholder(float)  # seconds heard at a time; none: the encoder's default
    stream.hop_s = placeholder(float)  # from one chunk to the next; none: the encoder's default
    stream.is_causal = False  # hear only the past of each vector
    return stream
