"""The default config: every key once, with one comment. Configs and flags only override."""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder


def get_config() -> ConfigDict:
    """A fresh copy; its keys are the only ones there are."""
    config = ConfigDict()
    config.seed = 0  # everything random follows from it

    config.corpus = ConfigDict()
    config.corpus.root = placeholder(str)  # folder of the organisers' files; none: a synthetic corpus is made
    config.corpus.packaged = placeholder(str)  # folder or bucket that data/build.py made, instead of root
    config.corpus.edition = placeholder(int)  # edition whose labels count; none: the newest found
    config.corpus.index_times = True  # read each frame's presentation time; False trusts the container's rate

    config.synthetic = ConfigDict()  # the corpus that is made where none is given
    config.synthetic.size = "demo"  # tiny | demo | evidence
    config.synthetic.edition = 10  # whose folder layout it is written in
    config.synthetic.seed = 0  # what is in it follows from it, whatever the seed above
    config.synthetic.root = "synthetic"  # folder that such corpora are made in

    config.streams = ("video", "audio")  # the parts below that are used; a config may add its own
    config.video = face_stream("tiny-clip")
    config.audio = audio_stream("tiny-whisper")

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

    config.fold = 0  # 0: the official split; 1, 2, …: learn from all but that fold of the training videos
    config.folds = 6  # the official split and five of the training videos

    config.task = "va"  # va | expr | au | mtl; of encoders that are trained here: contrast | prosody

    config.lessons = ConfigDict()  # what such encoders learn from: synthetic faces or voices
    config.lessons.seed = 0  # who they are, whatever the seed above
    config.lessons.people = 4000  # to learn from
    config.lessons.held_back = 160  # to score on
    config.lessons.looks = 12  # faces of each
    config.lessons.seconds = 10.0  # of each voice

    config.window = ConfigDict()
    config.window.rows = 128  # contiguous rows seen and predicted at once
    config.window.targets = "all"  # all | last | middle: which of its rows a window predicts
    config.window.stride = 64  # rows from one training window to the next
    config.window.eval_stride = 64  # the same in evaluation; smaller than rows: windows overlap
    config.window.learn_from_s = 0.0  # training windows that predict earlier rows of a track are left out
    config.window.edge = "shift"  # mask | clamp | shift | skip: what happens at a track's end
    config.window.overlap = "mean"  # mean | first | last: what is said of rows that several windows predict

    config.model = ConfigDict()
    config.model.name = "temporal_fusion"  # a file of models/; the other keys are its fields
    config.model.width = 64  # of every state
    config.model.layers = 1  # a stream
    config.model.heads = 4  # of every attention
    config.model.stem_taps = 5  # rows that the convolutional stem spans
    config.model.dropout = 0.1  # share of activations
    config.model.modality_dropout = 0.1  # how often a whole stream of a window is hidden
    config.model.is_causal = False  # no row sees what comes after it
    config.model.max_distance = 64  # rows from which on all distances are one

    config.loss = ConfigDict()
    config.loss.va = ConfigDict()
    config.loss.va.ccc = 1.0  # share of 1 - CCC
    config.loss.va.mse = 0.0  # share of the squared error
    config.loss.va.l1 = 0.0  # share of the absolute error
    config.loss.va.over = "pooled"  # window | batch | pooled: rows that make one CCC
    config.loss.expr = ConfigDict()
    config.loss.expr.class_weights = "sqrt_inverse"  # none | inverse | sqrt_inverse | effective | complement
    config.loss.expr.label_smoothing = 0.0  # share of a label that all classes get
    config.loss.expr.focal_gamma = 0.0  # how much less sure rows count; 0: all the same
    config.loss.expr.coarse = 0.0  # share of the cross entropy of neutral, happy, surprised, negative, other
    config.loss.au = ConfigDict()
    config.loss.au.positive_weights = "none"  # none | sqrt_ratio | ratio: of silent to active rows, by counts
    config.loss.au.class_weights = "none"  # of units, by their active rows: as of expressions
    config.loss.au.weights = ()  # of units, instead: twelve numbers
    config.loss.au.focal_gamma = 0.0  # how much less sure rows count; 0: all the same
    config.loss.au.soft_f1 = 0.0  # share of 1 - F1 of probabilities
    config.loss.contrast = ConfigDict()
    config.loss.contrast.au = 4.0  # share of the squared error of muscles, beside image and sentence
    config.loss.shares = ConfigDict({"va": 1.0, "expr": 1.0, "au": 1.0})  # of each task's loss

    config.text = ConfigDict()  # what faces are held against in words, beside their labels
    config.text.prompts = "none"  # none | expressions | states: see abaw_jax/prompts.py
    config.text.encoder = "tiny-clip"  # whose text tower reads them: that of the faces
    config.text.share = 0.1  # of the loss
    config.text.scale = 100.0  # of cosines, before softmax
    config.text.positives = "same"  # of expressions: same | own: are windows of one class positives

    config.augment = ConfigDict()  # what is done to features while a model learns
    config.augment.noise = 0.0  # deviation of what is added, in units of the feature's own where standardized
    config.augment.warp = 0.0  # how far a window's middle moves in time, as a share of the way to its end
    config.augment.mixup = 0.0  # both parameters of the beta distribution of the shares; 0: none
    config.augment.modality_dropout = 0.0  # how often a whole stream of a window is hidden, never all of them
    config.augment.bands = 0  # of sound: up to so many neighbouring numbers of every vector are zeros

    config.optimizer = ConfigDict()
    config.optimizer.learning_rate = 1e-3  # the highest
    config.optimizer.schedule = "cosine"  # constant | cosine | linear, after the warm-up
    config.optimizer.warmup_steps = 50  # updates, from 0 to the highest rate
    config.optimizer.final_share = 0.02  # of the highest rate, at the end
    config.optimizer.weight_decay = 0.05  # of matrices and tables, not of vectors (torch: of all)
    config.optimizer.beta1 = 0.9  # of AdamW
    config.optimizer.beta2 = 0.98  # of AdamW
    config.optimizer.clip_norm = 1.0  # of the whole gradient; 0: not clipped
    config.optimizer.clip_value = 0.0  # of every number of it; 0: not clipped
    config.optimizer.accumulate = 1  # batches that make one update
    config.optimizer.ema_decay = 0.0  # moving average that is evaluated instead; 0: none
    config.optimizer.rates = ()  # (pattern of a parameter's name, share of the rate) pairs; 0 freezes
    config.optimizer.release = ()  # (pattern, step) pairs: frozen before that step
    config.optimizer.plateau_factor = 0.5  # of the rate, when the score has stalled
    config.optimizer.plateau_least = 0.0  # share of the rate that plateaus never go below
    config.optimizer.plateau_patience = 0  # evaluations without a better score before that; 0: never

    config.train = ConfigDict()
    config.train.steps = 300  # batches
    config.train.batch_size = 16  # windows, all devices of all processes together
    config.train.mix = ()  # (("va", 8), ("expr", 8)): windows a batch of each training split; empty: the own
    config.train.standardize = True  # features by mean and deviation of the training rows
    config.train.resident = False  # keep the training features on the devices
    config.train.steps_a_call = 10  # of resident runs: steps that are compiled into one call
    config.train.eval_every = 100  # steps from one evaluation and checkpoint to the next
    config.train.log_every = 20  # steps
    config.train.keep_best = 1  # checkpoints by score, besides the latest two
    config.train.patience = 0  # evaluations without a better score before stopping; 0: never
    config.train.dtype = "float32"  # what the model computes in; bfloat16 on GPUs and TPUs
    config.train.threads = 1  # that read batches ahead
    config.train.sharding = (("", "replicate"),)  # (pattern of a parameter's name, replicate | fsdp)
    config.train.max_skipped = 10  # updates in a row that are not finite before the run stops
    config.train.watchdog_s = 1800.0  # a longer step or batch ends the run with its stacks; 0: never

    config.evaluation = ConfigDict()
    config.evaluation.fill = "linear"  # how rows without a prediction get one
    config.evaluation.trusts_blind = True  # False: what is said of a row without a face counts as a gap
    config.evaluation.smoothing = "none"  # none | box | gaussian | median
    config.evaluation.smoothing_s = 0.0  # width of the smoothing in seconds
    config.evaluation.tune = "nothing"  # nothing | smoothing | thresholds: on folds of the training split
    config.evaluation.folds = 5  # of the training split, by video
    config.evaluation.resamples = 1000  # bootstrap resamples over tracks
    config.evaluation.ensemble = "mean"  # mean | ccc_centred: how several checkpoints make one prediction
    return config


def in_size(config: ConfigDict, variant: str, *others: str) -> ConfigDict:
    """A config's variant: `tiny` as it is, `real` at full size; `others` it has seen to itself."""
    check_variant(variant, "tiny", *others, "real")
    return at_full_size(config) if variant == "real" else config


def check_variant(variant: str, *known: str) -> None:
    """An unknown one is an error with those there are."""
    if variant not in known:
        raise ValueError(f"found the variant {variant!r}, expected one of: {', '.join(known)}")


def at_full_size(config: ConfigDict) -> ConfigDict:
    """Sizes and encoders for a real corpus and a GPU, in place of those that two cores train in minutes.

    Defaults, not from a paper: nobody has measured them on Aff-Wild2 here.
    """
    config.video = face_stream("openai/clip-vit-large-patch14")
    config.audio = audio_stream("openai/whisper-base")
    config.model.width, config.model.layers, config.model.heads = 256, 4, 8
    config.window.rows, config.window.stride, config.window.eval_stride = 256, 64, 128
    config.train.batch_size, config.train.steps, config.train.eval_every = 32, 20_000, 1000
    config.train.keep_best, config.train.patience = 3, 5
    config.optimizer.learning_rate, config.optimizer.warmup_steps = 3e-4, 500
    config.optimizer.ema_decay = 0.999
    return config


def check_streams(config: ConfigDict) -> None:
    """Each has a part of the config; one that has none is an error with those that have."""
    known = [key for key, part in config.items() if isinstance(part, ConfigDict) and "modality" in part]
    unknown = [name for name in config.streams if name not in known]
    if unknown or not config.streams:
        found = ", ".join(map(repr, unknown)) or "none"
        raise ValueError(f"streams: found {found}, expected some of: {', '.join(known)}")


def by_modality(config: ConfigDict) -> dict[str, tuple[str, ...]]:
    """Streams that are seen, and streams that are heard; a single one gives its name."""
    groups: dict[str, tuple[str, ...]] = {}
    for stream in config.streams:
        modality = config[stream].modality
        groups[modality] = (*groups.get(modality, ()), stream)
    return {s[0] if len(s) == 1 else modality: s for modality, s in groups.items()}


def face_stream(encoder: str) -> ConfigDict:
    """A stream of faces; every key of one."""
    stream = ConfigDict()
    stream.modality = "face"
    stream.encoder = encoder  # tiny-clip (comes along), hub id, owner/name@revision, folder, or colours
    stream.view = placeholder(str)  # what of the network's output; none: the encoder's default
    stream.region = "whole"  # whole | brows | middle | mouth
    stream.sample_hz = placeholder(float)  # vectors a second; none: one a row
    _reach(stream)
    return stream


def audio_stream(encoder: str) -> ConfigDict:
    """A stream of sound; every key of one."""
    stream = ConfigDict()
    stream.modality = "audio"
    stream.encoder = encoder  # tiny-whisper (comes along), hub id, folder, or logmel | mfcc
    stream.view = placeholder(str)  # what of it: last | 3 | mean:5,6 | …, see README; none: the default
    stream.align = "mean"  # mean of what is around each row | native clock | chunk: one heard for each row
    stream.window_s = 1.0  # width of that mean
    stream.chunk_s = placeholder(float)  # seconds heard at a time; none: the encoder's default
    stream.hop_s = placeholder(float)  # from one chunk to the next; none: the encoder's default
    stream.is_causal = False  # hear only the past of each vector
    _reach(stream)
    return stream


def _reach(stream: ConfigDict) -> None:
    """What of it a window sees."""
    stream.reach = "rows"  # rows: those of the window | spread | present: some of reach_s | native: all of it
    stream.reach_s = placeholder(float)  # seconds up to the target, around it, or from the first row on
    stream.reach_count = placeholder(int)  # vectors, evenly spread over time or over rows that are there
