"""Types of the package; made by `python -m lexenc.stubs` from the declarations of the stages."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Literal

from lexenc.api.files import convert as convert
from lexenc.api.files import write_report as write_report
from lexenc.api.parts import LoadedEncoder as LoadedEncoder
from lexenc.api.parts import fetch as fetch
from lexenc.api.parts import load_encoder as load_encoder
from lexenc.api.parts import load_mapping as load_mapping
from lexenc.api.parts import load_space as load_space
from lexenc.api.parts import read_pairs as read_pairs
from lexenc.api.parts import read_vectors as read_vectors
from lexenc.api.parts import run as run
from lexenc.api.parts import translate as translate
from lexenc.api.results import Result as Result
from lexenc.api.words import LexencWarning as LexencWarning
from lexenc.errors import ConfigError as ConfigError
from lexenc.errors import DataError as DataError
from lexenc.errors import LexencError as LexencError
from lexenc.errors import WorkError as WorkError
from lexenc.lexical.mapping import fit_mapping as fit_mapping
from lexenc.lexical.mapping import normalise as normalise
from lexenc.search.retrieval import fit_correction as fit_correction
from lexenc.search.retrieval import retrieve as retrieve
from lexenc.progress import Progress

__version__: str

def train_static(
    *,
    text: str | PathLike[str] | Sequence[str | PathLike[str]],
    out: str | PathLike[str],
    model: Literal['cbow', 'skipgram'] = 'skipgram',
    dimensions: int = 300,
    epochs: int = 5,
    minimum_count: int = 5,
    shortest_subword: int = 3,
    longest_subword: int = 6,
    window: int = 5,
    negatives: int = 5,
    learning_rate: float = 0.05,
    buckets: int = 2000000,
    lowercase: bool = True,
    unicode: Literal['keep', 'nfc', 'nfkc'] = 'keep',
    language: str | None = None,
    words_only: bool = True,
    threads: int = 1,
    write: str | Sequence[str] = (),
    force: bool = False,
    seed: int | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Train static word vectors on text with fastText.

    Makes: vectors.npy and words.txt, by frequency; with --write also vectors.vec and model.bin.

    Args:
        text: Text, one sentence per line. Can be repeated.
        out: Folder for the result.
        model: Model of fastText. One of: skipgram, cbow.
        dimensions: Length of a vector.
        epochs: Number of passes over the text.
        minimum_count: Minimum number of occurrences of a word.
        shortest_subword: Length of the shortest character n-grams; 0 for none.
        longest_subword: Length of the longest character n-grams; 0 for none.
        window: Number of context words on each side.
        negatives: Number of negative samples per word.
        learning_rate: Learning rate at the start; it decreases to 0.
        buckets: Number of hash buckets for character n-grams; fewer need less memory.
        lowercase: Lower-case the text.
        unicode: Unicode normal form of all words. nfc: a letter and its accents are one character; nfkc: full-width letters and ligatures are plain letters as well; keep: as they are.
        language: BCP-47 code of the language, for lower-casing; e.g. Turkish has a dotless i.
        words_only: Drop punctuation. With --no-words-only the text is split at spaces only.
        threads: Number of threads. With more than one, the vectors differ slightly between runs.
        write: Additional formats: vec, bin (the whole fastText model), or both.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def new_encoder(
    *,
    text: str | PathLike[str] | Sequence[str | PathLike[str]],
    out: str | PathLike[str],
    kind: Literal['elmo', 'static', 'transformer'] = 'static',
    tokenizer: Literal['bpe', 'unigram', 'wordpiece'] = 'bpe',
    vocabulary_size: int = 24000,
    dimensions: int = 256,
    layers: int = 4,
    heads: int = 4,
    max_length: int = 128,
    deviation: float = 0.1,
    cased: bool = False,
    force: bool = False,
    seed: int | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Make an untrained encoder with a tokenizer learned from text, for finetune or train.

    Makes: an encoder. SentenceTransformer(folder) loads all kinds but elmo.

    Args:
        text: Text, one sentence per line. TABs separate texts. Can be repeated.
        out: Folder for the result.
        kind: Kind of encoder. One of: static, elmo, transformer.
        tokenizer: Algorithm of the tokenizer. Only bpe learns the same subwords on every run. One of: bpe, wordpiece, unigram.
        vocabulary_size: Largest number of subwords.
        dimensions: Length of a vector.
        layers: Number of layers of a transformer, or of LSTMs in each direction of elmo.
        heads: Number of attention heads of a transformer.
        max_length: Longest input of a transformer or elmo, in tokens.
        deviation: Standard deviation of the random vectors of a static encoder.
        cased: Distinguish upper and lower case.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def pretrain(
    *,
    text: str | PathLike[str] | Sequence[str | PathLike[str]] | Mapping[str, str | PathLike[str]],
    out: str | PathLike[str],
    pairs: str | PathLike[str] | Sequence[str | PathLike[str]] | Sequence[tuple[str, str]] | None = None,
    dev: str | PathLike[str] | Sequence[str | PathLike[str]] | Mapping[str, str | PathLike[str]] | float | None = None,
    dictionary: str | PathLike[str] | Sequence[tuple[str, str]] | None = None,
    pseudo_words: str | PathLike[str] | None = None,
    tokenizer: str | PathLike[str] | None = None,
    encoder: str | PathLike[str] | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    weight_decay: float | None = None,
    schedule: Literal['constant', 'linear'] | None = None,
    warmup: float | None = None,
    clip: float | None = None,
    chunk_tokens: int = 16384,
    checkpoint_seconds: float = 60.0,
    steps: int | None = None,
    senses: int | None = None,
    sense_scope: Literal['all', 'frequent', 'pseudo'] | None = None,
    sense_min_count: int | None = None,
    skip_top: int | None = None,
    sense_projection: Literal['paper', 'word-centred'] | None = None,
    sense_dimensions: int | None = None,
    sense_queue: int | None = None,
    sense_refit_every: int | None = None,
    sense_context: Literal['both', 'own'] | None = None,
    sense_start: Literal['kmeans', 'noise'] | None = None,
    sense_choice: Literal['clusters', 'logits', 'oracle', 'random'] | None = None,
    center_decay: Literal['global', 'selected'] | None = None,
    sense_rate: float | None = None,
    sense_warmup: float | None = None,
    reset_senses: bool = False,
    prune_every: int | None = None,
    prune_below: float | None = None,
    prune_from: float | None = None,
    translations: int | None = None,
    objective: Literal['mlm', 'tlm'] | Sequence[Literal['mlm', 'tlm']] = ('mlm',),
    preset: Literal['bi-saelmo', 'paper', 'sabert-tiny', 'saelmo', 'small', 'tiny'] | None = None,
    layers: int | None = None,
    dimensions: int | None = None,
    vocabulary: int | None = None,
    max_length: int | None = None,
    model: Literal['bert', 'elmo', 'xlm-r'] | None = None,
    language_sampling: float = 0.3,
    dev_share: float | None = None,
    evaluate_every: int | None = None,
    keep_every: int | None = None,
    max_steps: int | None = None,
    optimiser: Literal['adagrad', 'adamw'] | None = None,
    heads: int | None = None,
    input: Literal['characters', 'words'] | None = None,
    cells: int | None = None,
    negatives: int | None = None,
    sampling: Literal['log-uniform', 'uniform'] | None = None,
    minimum_count: int | None = None,
    cased: bool = False,
    words: Literal['spaces', 'words'] | None = None,
    vector: str | None = None,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Pretrain a small multilingual language model, with a tokenizer of its own, on text.

    Makes: a language model (xlm-r: AutoModelForMaskedLM and SentenceTransformer load it), and training.jsonl with loss and learning rate per step.

    Args:
        text: Text of a language with its name, e.g. en=en.txt; one sentence or paragraph per line. Give it once per language.
        pairs: For tlm: sentence pairs, 'source ||| target', source, TAB, target, TMX or XLIFF. Can be repeated.
        dev: Held-out text of a language with its name, e.g. en=dev.txt, or the share of the lines to hold out.
        dictionary: Word pairs of two languages, source and target. Each word also learns to predict the sense of its translation that fits the context. Both directions are used.
        pseudo_words: For elmo: pairs of words to merge into one, whose right senses are then known. A control of how senses are chosen.
        tokenizer: Encoder whose tokenizer to use instead of a new one.
        encoder: Language model to continue with, e.g. for a new language. It keeps its tokenizer.
        out: Folder for the result.
        epochs: Passes over the text, instead of steps.
        batch_size: Texts per step.
        learning_rate: Peak learning rate.
        weight_decay: Weight decay of AdamW. Biases and normalisation layers have none.
        schedule: Learning rate after the warm-up. linear: falls to 0. constant: stays at the peak.
        warmup: Share of the steps in which the learning rate rises to its peak.
        clip: Maximum norm of the gradient. Use 0 for no clipping.
        chunk_tokens: Maximum number of subwords in one pass. A larger step is split into chunks, which needs less memory and changes only dropout.
        checkpoint_seconds: Time between checkpoints, in seconds.
        steps: Steps of training, instead of epochs.
        senses: Largest number of senses of a word. 1: the plain model. With more, the model learns to predict senses, which it finds itself by clusters of its states. By default that of preset saelmo, sabert-tiny or bi-saelmo, else 1.
        sense_scope: Words with several senses. all: all but the most frequent (skip_top). frequent: of these, words with at least sense_min_count occurrences. pseudo: only pseudo_words.
        sense_min_count: Occurrences of a word, see sense_scope.
        skip_top: Number of the most frequent words that keep one sense.
        sense_projection: Directions by which states are compared. paper: the principal components of all states, by cosine. word-centred: those of states minus the mean of their word, all of which count alike, by distance.
        sense_dimensions: Number of these directions.
        sense_queue: Number of states from which the directions are computed.
        sense_refit_every: Steps after which they are computed again.
        sense_context: For elmo: states by which a sense is chosen, those of the direction that predicts (own) or of both. By default own with the presets of published models, else both. One of: own, both.
        sense_start: Senses at the end of the warm-up: one with noise added (noise), or clusters of the last states of each word. One of: noise, kmeans.
        sense_choice: How a sense is chosen. clusters: the nearest centre. random: any, a control. logits: the one that the model predicts best. oracle: the right one of pseudo_words, a control.
        center_decay: selected: only the centres of chosen senses move. global: all others shrink, as in the authors' program.
        sense_rate: Share of a step's states in the centre of their sense. Larger follows faster.
        sense_warmup: Share of the steps in which every word has one sense. 1 never splits words: a plain model with output vectors of its own, a control.
        reset_senses: Draw the vectors of senses anew after the warm-up, as in the authors' program.
        prune_every: Steps after which rare senses are removed. Use 0 to keep all.
        prune_below: Share of a word's occurrences below which a sense is removed.
        prune_from: Share of the steps before which nothing is removed.
        translations: Largest number of translations of a word; the first ones of dictionary.
        objective: What a masked language model learns. mlm: predict masked subwords of a line of text. tlm: predict masked subwords of a sentence and its translation together (pairs). Several, such as mlm,tlm, are mixed at random.
        preset: Sizes and length of the training. tiny: minutes on two cores. small: an afternoon on two cores for xlm-r, a day on a GPU for elmo. paper: the published model, XLM-R base, ELMo, or BERT-Tiny of the paper on senses. The models of that paper with senses: saelmo: of English, its Table 6. sabert-tiny: Table 7. bi-saelmo: of two languages, Table 8. Other options replace single values. By default small.
        layers: Number of layers; of elmo in each direction.
        dimensions: Width of the layers. A vector of xlm-r is as long, one of elmo twice: forward and backward.
        vocabulary: Largest number of subwords, for bert and elmo of words.
        max_length: Longest input in subwords, for elmo in words, special ones included. Longer lines are cut into several texts.
        model: Kind of language model. By default that of preset, else xlm-r. One of: xlm-r, bert, elmo.
        language_sampling: Exponent of the share of each language, of its words in the tokenizer and of its texts in training. 1: as in text. 0: all languages alike. Lower values favour languages with little text.
        dev_share: Share of the lines of each language that is held out to find the best weights; at least 100 of 2,000 lines, at most 5,000. Use 0 for none. By default 0.01, unless dev names files.
        evaluate_every: Steps between evaluations on held-out lines. By default a twentieth of all steps, at least 50.
        keep_every: Steps after which a copy of the model is kept, in the folder steps of the result.
        max_steps: Stop after so many steps, before the end of the schedule. The same command continues from there.
        optimiser: adamw: AdamW. adagrad: Adagrad, by which the published ELMo was trained.
        heads: Number of attention heads.
        input: What the vector of a word is made of. words: a table with a vector per word. characters: a convolutional network over its characters, which knows no unknown words and is slower.
        cells: Cells of each LSTM. If they are more or fewer than dimensions, their output is projected, and cells and projections are limited to 3.
        negatives: Words that are sampled for the softmax of a step. With half of the vocabulary or more it is exact. More are slower.
        sampling: How these words are sampled. log-uniform: by the rank of their frequency, with a correction. uniform: all alike.
        minimum_count: Occurrences below which a word is not in the vocabulary.
        cased: Distinguish upper and lower case.
        words: How text is split into words. words: words and punctuation by the classes of Unicode. spaces: at spaces only, for tokenised text.
        vector: Layer of text vectors: mean (of all layers), concat (all of them), or a number, 0 for the input.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def trim_vocabulary(
    *,
    encoder: str | PathLike[str],
    text: str | PathLike[str] | Sequence[str | PathLike[str]],
    out: str | PathLike[str],
    force: bool = False,
    progress: bool | Progress = False,
) -> Result:
    """Remove the subwords that a corpus does not need from an encoder; its texts keep their vectors.

    Makes: an encoder that SentenceTransformer(folder) loads, with the same vectors for the text.

    Args:
        encoder: Encoder: 'mini', a folder, or a hub name.
        text: Text whose subwords stay, one sentence per line. TABs separate texts. Can be repeated.
        out: Folder for the result.
        force: Replace another result in `out`.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def mine_negatives(
    *,
    pairs: str | PathLike[str] | Sequence[tuple[str, str]],
    encoder: str | PathLike[str],
    target_vocabulary: str | PathLike[str],
    out: str | PathLike[str],
    source_vocabulary: str | PathLike[str] | None = None,
    count: int = 10,
    direction: Literal['both', 'source'] = 'source',
    range_min: int = 0,
    range_max: int | None = None,
    max_score: float | None = None,
    min_score: float | None = None,
    absolute_margin: float | None = None,
    relative_margin: float | None = None,
    sampling: Literal['random', 'top'] = 'top',
    vocabulary_limit: int | None = None,
    pooling: Literal['auto', 'cls', 'first-last', 'mean', 'model'] = 'auto',
    lowercase: bool = False,
    unicode: Literal['keep', 'nfc', 'nfkc'] = 'keep',
    source_language: str | None = None,
    target_language: str | None = None,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Mine hard negatives: target words that the encoder wrongly ranks close to a source word.

    Makes: negatives.jsonl: source, target, and its negatives with their cosines.

    Args:
        pairs: Word pairs: source, TAB, target.
        encoder: Encoder before fine-tuning: 'mini', a folder, or a hub name.
        target_vocabulary: Candidate words: 'word' or 'word count' lines, or a folder with words.txt.
        source_vocabulary: The same for the source language, for direction both.
        out: Folder for the result.
        count: Negatives per pair.
        direction: source: target words for every source word; both: also source words for every target word.
        range_min: Number of nearest candidates to skip.
        range_max: Maximum number of candidates to consider.
        max_score: Maximum cosine of a negative with its anchor.
        min_score: Minimum cosine of a negative with its anchor.
        absolute_margin: Minimum difference between the positive's and the negative's cosine. A larger value is stricter.
        relative_margin: A negative's cosine is at most (1 - this) x the positive's. A larger value is stricter.
        sampling: top: the nearest candidates; random: a random choice within the range.
        vocabulary_limit: Use only the first words of a vocabulary.
        pooling: mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; auto: model if the encoder has modules, else mean.
        lowercase: Lower-case all words. Of words that become equal, the first one is kept.
        unicode: Unicode normal form of all words. nfc: a letter and its accents are one character; nfkc: full-width letters and ligatures are plain letters as well; keep: as they are.
        source_language: BCP-47 code of the source words, for lowercase=True and multilingual TMX, XLIFF and TBX files.
        target_language: The same for the target words.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def finetune(
    *,
    encoder: str | PathLike[str],
    out: str | PathLike[str],
    pairs: str | PathLike[str] | Sequence[tuple[str, str]] | None = None,
    source: str | PathLike[str] | None = None,
    target: str | PathLike[str] | None = None,
    synonyms: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    negatives: str | PathLike[str] | None = None,
    dev: str | PathLike[str] | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    weight_decay: float = 0.01,
    schedule: Literal['constant', 'linear'] | None = None,
    warmup: float | None = None,
    clip: float | None = None,
    chunk_tokens: int = 32768,
    checkpoint_seconds: float = 60.0,
    steps: int | None = None,
    evaluate_every: int | None = None,
    loss: Literal['mneg', 'multi-similarity', 'own-hard', 'printed', 'symmetric'] | None = None,
    scale: float | None = None,
    similarity_alpha: float | None = None,
    similarity_beta: float | None = None,
    similarity_base: float | None = None,
    triplet_margin: float | None = None,
    mask_known: bool = True,
    pairs_per_concept: int | None = None,
    languages: str | Sequence[str] = (),
    suppressible: Literal['drop', 'keep'] | None = None,
    control: Literal['none', 'shuffled-pairs'] = 'none',
    pooling: Literal['auto', 'cls', 'first-last', 'mean', 'model'] = 'auto',
    max_length: int | None = None,
    lowercase: bool = False,
    unicode: Literal['keep', 'nfc', 'nfkc'] = 'keep',
    source_language: str | None = None,
    target_language: str | None = None,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Fine-tune an encoder on text pairs or on synonym sets with a contrastive loss.

    Makes: an encoder that SentenceTransformer(folder) loads, and training.jsonl with loss and learning rate per step.

    Args:
        pairs: Pairs of words, phrases or sentences: anchor, TAB, positive.
        source: Anchors, if the pairs are two line-aligned files instead of pairs.
        target: Positives of source, line by line.
        synonyms: Synonym sets instead of pairs, in one file or several: CUI||name, CUI||name||name, or MRCONSO.RRF.
        encoder: Encoder to start from: 'mini', a folder, or a hub name.
        negatives: Hard negatives from mine-negatives. Without them, only in-batch negatives are used.
        dev: Development pairs. The weights with the best retrieval accuracy on them are kept, instead of the last.
        out: Folder for the result.
        epochs: Passes over the pairs. By default 5, and 1 with synonyms.
        batch_size: Pairs per step. The other pairs of a step are the in-batch negatives of each pair. By default 128, and 256 with synonyms.
        learning_rate: Peak learning rate. By default 2e-5, and 1e-3 for static encoders.
        weight_decay: Weight decay of AdamW. Biases and normalisation layers have none.
        schedule: Learning rate after the warm-up. linear: falls to 0. constant: stays at the peak. By default linear, and constant with synonyms.
        warmup: Share of the steps in which the learning rate rises to its peak. By default 0.1, and 0 with synonyms.
        clip: Maximum norm of the gradient. Use 0 for no clipping. By default 1, and 0 with synonyms.
        chunk_tokens: Maximum number of tokens in one pass. A larger step is cached in chunks, which is slower, needs less memory and changes only dropout.
        checkpoint_seconds: Time between checkpoints, in seconds.
        steps: Steps of training, instead of epochs.
        evaluate_every: With dev: number of steps between evaluations. By default the steps of an epoch.
        loss: mneg: as sentence-transformers. own-hard: without the hard negatives of other pairs. symmetric: both directions. printed: the formula as printed in the paper. multi-similarity: hard pairs of the batch, as SapBERT. By default mneg, and multi-similarity with synonyms.
        scale: Factor on the cosine (C in the paper), the inverse of the temperature. By default 20. Not for multi-similarity.
        similarity_alpha: For multi-similarity: weight of hard positives. By default 1.
        similarity_beta: For multi-similarity: weight of hard negatives. By default 60.
        similarity_base: For multi-similarity: cosine at which positives are near enough and negatives far enough. By default 0.5.
        triplet_margin: For multi-similarity: a pair counts if a positive is not nearer than a negative by this margin (Euclidean distance of unit vectors). By default 0.2. With 2 all pairs count.
        mask_known: Do not count known translations, and names of a common concept, as negatives in a batch.
        pairs_per_concept: With synonyms: maximum number of pairs per concept, drawn at random. By default 50.
        languages: With MRCONSO.RRF: languages to keep, as UMLS codes or ISO codes, e.g. ENG,GER or en,de. By default all.
        suppressible: With MRCONSO.RRF: whether to drop rows whose SUPPRESS is not N (obsolete and abbreviated names). By default drop. SapBERT keeps them. One of: drop, keep.
        control: shuffled-pairs: train on random pairs of the same texts, to measure the effect of training without knowledge. One of: none, shuffled-pairs.
        pooling: mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; auto: model if the encoder has modules, else mean.
        max_length: Maximum length of an input in tokens. The rest is cut off.
        lowercase: Lower-case all words. Of words that become equal, the first one is kept.
        unicode: Unicode normal form of all words. nfc: a letter and its accents are one character; nfkc: full-width letters and ligatures are plain letters as well; keep: as they are.
        source_language: BCP-47 code of the source words, for lowercase=True and multilingual TMX, XLIFF and TBX files.
        target_language: The same for the target words.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def map(
    *,
    source: str | PathLike[str],
    target: str | PathLike[str],
    out: str | PathLike[str],
    dictionary: str | PathLike[str] | Sequence[tuple[str, str]] | None = None,
    validation: str | PathLike[str] | None = None,
    supervision: Literal['dictionary', 'identical', 'none', 'numerals', 'semi'] | None = None,
    preset: Literal['aaai2018', 'acl2017', 'emnlp2016', 'identical', 'rcsls', 'refinement', 'semi-supervised', 'supervised', 'unsupervised'] | None = None,
    kind: Literal['advanced', 'orthogonal', 'rcsls', 'unconstrained'] | None = None,
    normalise: str | Sequence[str] | None = None,
    reduce_to: int | None = None,
    poor_dictionary: Literal['refuse', 'rotate', 'truncate'] = 'rotate',
    control: Literal['none', 'shuffled-pairs'] = 'none',
    whiten: bool | None = None,
    source_reweight: float | None = None,
    target_reweight: float | None = None,
    source_dewhiten: Literal['none', 'source', 'target'] | None = None,
    target_dewhiten: Literal['none', 'source', 'target'] | None = None,
    vocabulary_cutoff: int | None = None,
    csls_neighbours: int | None = None,
    induction: Literal['backward', 'forward', 'mutual', 'union'] | None = None,
    keep_start: float | None = None,
    keep_growth: float | None = None,
    patience: int | Sequence[int] | None = None,
    max_iterations: int | None = None,
    start_vocabulary: int | None = None,
    arithmetic: Literal['float32', 'float64'] = 'float32',
    checkpoint_seconds: float = 60.0,
    rcsls_steps: int | None = None,
    rcsls_rate: float | None = None,
    rcsls_spectral: bool = False,
    limit: int | None = None,
    duplicates: Literal['first', 'last'] = 'first',
    bad_lines: Literal['error', 'skip'] = 'error',
    lowercase: bool = False,
    unicode: Literal['keep', 'nfc', 'nfkc'] = 'keep',
    source_language: str | None = None,
    target_language: str | None = None,
    validate_every: int = 10,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Map word vectors of two languages into a shared space, with a dictionary or without one.

    Makes: source/ and target/ (vectors.npy, words.txt), mapping.safetensors for lexenc apply-mapping, and after self-learning iterations.jsonl and induced.tsv, its last dictionary.

    Args:
        source: Source vectors: .vec, .vec.gz, word2vec or fastText .bin, or a folder.
        target: Target vectors.
        dictionary: Training dictionary: source, TAB, target.
        validation: Dictionary to score during self-learning. Nothing is learned from it.
        out: Folder for the result.
        supervision: dictionary: learn from it alone (default); semi: start self-learning from it; identical: from equal strings; numerals: from equal numbers; none: from the vectors alone.
        preset: Published method. Other options replace its values. One of: supervised, semi-supervised, identical, unsupervised, aaai2018, acl2017, emnlp2016, refinement, rcsls.
        kind: advanced: both languages move (default); orthogonal: rotation; unconstrained: least squares; rcsls: optimised for CSLS.
        normalise: Steps in order: unit, center, unitdim, centeremb, none. Default: unit,center,unit.
        reduce_to: Dimensions to keep.
        poor_dictionary: With fewer pairs than dimensions: rotate: do not whiten; truncate: drop dimensions; refuse: stop.
        control: none: no control; shuffled-pairs: wrong translations.
        whiten: Decorrelate the dictionary rows first. Default: yes.
        source_reweight: Exponent of the singular values; 0: off. Default: 0.5.
        target_reweight: The same for the target.
        source_dewhiten: Whitening to undo. source: its own (default); target: the target's; none: keep it.
        target_dewhiten: source: the source's; target: its own (default); none: keep it.
        vocabulary_cutoff: Most frequent words to use; more take longer. Default: 20000.
        csls_neighbours: Neighbours for CSLS, also of rcsls; 0: cosine. Default: 10.
        induction: Best partners: union: of both languages (default); forward: of the source; backward: of the target; mutual: of each other.
        keep_start: First share of candidates. Default: 0.1.
        keep_growth: Growth of that share. Default: 2.
        patience: Iterations without gain until then. With several values, learning starts again with the next one unless a mapping was found. Default: 10,50,50.
        max_iterations: Maximum number of iterations.
        start_vocabulary: Words compared with supervision none. Default: 4000.
        arithmetic: Number type. One of: float32, float64.
        checkpoint_seconds: Time between checkpoints.
        rcsls_steps: Gradient steps. Default: 10.
        rcsls_rate: First step size, halved if the loss rises. Default: 1.
        rcsls_spectral: Keep singular values at most 1.
        limit: Read only the first words of each file.
        duplicates: Vector of a repeated word: first: the first one; last: the last one, as VecMap.
        bad_lines: Lines that are not a vector: error: stop; skip: ignore them.
        lowercase: Lower-case all words. Of words that become equal, the first one is kept.
        unicode: Unicode normal form of all words. nfc: a letter and its accents are one character; nfkc: full-width letters and ligatures are plain letters as well; keep: as they are.
        source_language: BCP-47 code of the source words, for lowercase=True and multilingual TMX, XLIFF and TBX files.
        target_language: The same for the target words.
        validate_every: Iterations between scores.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def map_hub(
    *,
    vectors: str | PathLike[str] | Sequence[str | PathLike[str]] | Mapping[str, str | PathLike[str]],
    out: str | PathLike[str],
    dictionaries: str | PathLike[str] | Sequence[str | PathLike[str]] | Mapping[str, str | PathLike[str]] | None = None,
    into: str | PathLike[str] | None = None,
    supervision: Literal['dictionary', 'identical', 'none', 'numerals', 'semi'] | None = None,
    preset: Literal['aaai2018', 'acl2017', 'emnlp2016', 'identical', 'rcsls', 'refinement', 'semi-supervised', 'supervised', 'unsupervised'] | None = None,
    kind: Literal['advanced', 'orthogonal', 'rcsls', 'unconstrained'] | None = None,
    normalise: str | Sequence[str] | None = None,
    reduce_to: int | None = None,
    poor_dictionary: Literal['refuse', 'rotate', 'truncate'] = 'rotate',
    control: Literal['none', 'shuffled-pairs'] = 'none',
    whiten: bool | None = None,
    source_reweight: float | None = None,
    target_reweight: float | None = None,
    source_dewhiten: Literal['none', 'source', 'target'] | None = None,
    target_dewhiten: Literal['none', 'source', 'target'] | None = None,
    vocabulary_cutoff: int | None = None,
    csls_neighbours: int | None = None,
    induction: Literal['backward', 'forward', 'mutual', 'union'] | None = None,
    keep_start: float | None = None,
    keep_growth: float | None = None,
    patience: int | Sequence[int] | None = None,
    max_iterations: int | None = None,
    start_vocabulary: int | None = None,
    arithmetic: Literal['float32', 'float64'] = 'float32',
    checkpoint_seconds: float = 60.0,
    rcsls_steps: int | None = None,
    rcsls_rate: float | None = None,
    rcsls_spectral: bool = False,
    limit: int | None = None,
    duplicates: Literal['first', 'last'] = 'first',
    bad_lines: Literal['error', 'skip'] = 'error',
    lowercase: bool = False,
    unicode: Literal['keep', 'nfc', 'nfkc'] = 'keep',
    hub: str | None = None,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Map word vectors of many languages into the space of one of them, or add languages to such a space.

    Makes: hub.json, and for every language a folder with vectors.npy, words.txt and mapping.safetensors; after self-learning also iterations.jsonl and induced.tsv.

    Args:
        vectors: Vectors of a language with its name, e.g. en=en.vec. Give it once per language.
        dictionaries: Folder with training dictionaries such as en-de.tsv, or a dictionary as en-de=PATH.
        into: Space of map-hub to add languages to. Its own languages do not move.
        out: Folder for the result.
        supervision: dictionary: learn from it alone (default); semi: start self-learning from it; identical: from equal strings; numerals: from equal numbers; none: from the vectors alone.
        preset: Published method. Other options replace its values. One of: supervised, semi-supervised, identical, unsupervised, aaai2018, acl2017, emnlp2016, refinement, rcsls.
        kind: advanced: both languages move (default); orthogonal: rotation; unconstrained: least squares; rcsls: optimised for CSLS.
        normalise: Steps in order: unit, center, unitdim, centeremb, none. Default: unit,center,unit.
        reduce_to: Dimensions to keep.
        poor_dictionary: With fewer pairs than dimensions: rotate: do not whiten; truncate: drop dimensions; refuse: stop.
        control: none: no control; shuffled-pairs: wrong translations.
        whiten: Decorrelate the dictionary rows first. Default: yes.
        source_reweight: Exponent of the singular values; 0: off. Default: 0.5.
        target_reweight: The same for the target.
        source_dewhiten: Whitening to undo. source: its own (default); target: the target's; none: keep it.
        target_dewhiten: source: the source's; target: its own (default); none: keep it.
        vocabulary_cutoff: Most frequent words to use; more take longer. Default: 20000.
        csls_neighbours: Neighbours for CSLS, also of rcsls; 0: cosine. Default: 10.
        induction: Best partners: union: of both languages (default); forward: of the source; backward: of the target; mutual: of each other.
        keep_start: First share of candidates. Default: 0.1.
        keep_growth: Growth of that share. Default: 2.
        patience: Iterations without gain until then. With several values, learning starts again with the next one unless a mapping was found. Default: 10,50,50.
        max_iterations: Maximum number of iterations.
        start_vocabulary: Words compared with supervision none. Default: 4000.
        arithmetic: Number type. One of: float32, float64.
        checkpoint_seconds: Time between checkpoints.
        rcsls_steps: Gradient steps. Default: 10.
        rcsls_rate: First step size, halved if the loss rises. Default: 1.
        rcsls_spectral: Keep singular values at most 1.
        limit: Read only the first words of each file.
        duplicates: Vector of a repeated word: first: the first one; last: the last one, as VecMap.
        bad_lines: Lines that are not a vector: error: stop; skip: ignore them.
        lowercase: Lower-case all words. Of words that become equal, the first one is kept.
        unicode: Unicode normal form of all words. nfc: a letter and its accents are one character; nfkc: full-width letters and ligatures are plain letters as well; keep: as they are.
        hub: Name of the language whose space all others are mapped to. It does not move.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def apply_mapping(
    *,
    mapping: str | PathLike[str],
    out: str | PathLike[str],
    source: str | PathLike[str] | None = None,
    target: str | PathLike[str] | None = None,
    source_vocabulary: str | PathLike[str] | None = None,
    target_vocabulary: str | PathLike[str] | None = None,
    limit: int | None = None,
    duplicates: Literal['first', 'last'] = 'first',
    bad_lines: Literal['error', 'skip'] = 'error',
    lowercase: bool = False,
    unicode: Literal['keep', 'nfc', 'nfkc'] = 'keep',
    source_language: str | None = None,
    target_language: str | None = None,
    force: bool = False,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Map vectors of new words with a saved mapping.

    Makes: source/ and target/ (vectors.npy, words.txt) and mapping.safetensors. A side that is not given is that of --mapping.

    Args:
        mapping: Saved mapping: a folder of map, or of one language in a folder of map-hub.
        source: Source vectors of new words, in the form that the mapping was learned from.
        target: Target vectors of new words.
        source_vocabulary: Word list: map only these words. If source is a fastText .bin, it makes vectors of unknown words.
        target_vocabulary: The same for target.
        out: Folder for the result.
        limit: Read only the first words of each file.
        duplicates: Vector of a repeated word: first: the first one; last: the last one, as VecMap.
        bad_lines: Lines that are not a vector: error: stop; skip: ignore them.
        lowercase: Lower-case all words. Of words that become equal, the first one is kept.
        unicode: Unicode normal form of all words. nfc: a letter and its accents are one character; nfkc: full-width letters and ligatures are plain letters as well; keep: as they are.
        source_language: BCP-47 code of the source words, for lowercase=True and multilingual TMX, XLIFF and TBX files.
        target_language: The same for the target words.
        force: Replace another result in `out`.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def encode(
    words: str | PathLike[str],
    *,
    encoder: str | PathLike[str],
    out: str | PathLike[str],
    pooling: Literal['auto', 'cls', 'first-last', 'mean', 'model'] = 'auto',
    max_length: int | None = None,
    language: str | None = None,
    counts: bool = False,
    token_budget: int = 1536,
    force: bool = False,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Encode each line of a file as a vector.

    Makes: vectors.npy (float32) and words.txt, row by row.

    Args:
        words: File with one text per line, or - for standard input.
        encoder: Encoder: 'mini', a folder, or a hub name.
        out: Folder for the result.
        pooling: mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; auto: model if the encoder has modules, else mean.
        max_length: Longest input in tokens. Longer texts are truncated.
        language: BCP-47 code of the language of all texts, for an encoder that was trained with languages. By default none.
        counts: Read lines of the form 'word count'. Drops the counts and repeated words.
        token_budget: Largest number of tokens in a forward pass.
        force: Replace another result in `out`.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def plot(
    *,
    text: str | PathLike[str] | Sequence[str | PathLike[str]] | Mapping[str, str | PathLike[str]],
    out: str | PathLike[str],
    encoder: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    vectors: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    dictionary: str | PathLike[str] | Sequence[tuple[str, str]] | None = None,
    method: Literal['pca', 'tsne'] = 'tsne',
    points: int = 200,
    mark: str | Sequence[str] = (),
    words: bool = False,
    perplexity: float = 30.0,
    pooling: Literal['auto', 'cls', 'first-last', 'mean', 'model'] = 'auto',
    max_length: int | None = None,
    lowercase: bool = False,
    unicode: Literal['keep', 'nfc', 'nfkc'] = 'keep',
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Draw sentences or words of several languages as a picture of the space of each encoder.

    Makes: plot.svg, and points.tsv with the places of all texts. lexenc report shows the picture too.

    Args:
        text: Sentences of a language with its name, e.g. en=a.txt, line by line; with words=True a text, or words by frequency. Once per language.
        encoder: Encoder. Each has a picture of its own.
        vectors: Shared space (of map, interpolate or map-hub), or vectors of all languages. Sentences are means of words.
        dictionary: With words=True: translations between the first two languages, for the cosines.
        out: Folder for the result.
        method: tsne: t-SNE, which keeps neighbours together; distances between groups mean little. pca: the first two principal components; fast, but neighbours in the picture are often none in the space.
        points: Number of lines to draw of each text, at random; with words=True of words.
        mark: Numbers of lines to mark and to join with their translations, e.g. 20,110,130; with words=True words.
        words: Draw the most frequent words of each text. An encoder gives them the vectors of its embedding layer (the input of its first layer), as a mean over the subwords of a word.
        perplexity: Number of neighbours that t-SNE keeps near each point, in effect.
        pooling: mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; auto: model if the encoder has modules, else mean.
        max_length: Longest sentence in tokens. Longer sentences are cut.
        lowercase: Lower-case all words. Of words that become equal, the first one is kept.
        unicode: Unicode normal form of all words. nfc: a letter and its accents are one character; nfkc: full-width letters and ligatures are plain letters as well; keep: as they are.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def senses(
    word: str | Sequence[str] = (),
    *,
    out: str | PathLike[str],
    encoder: str | PathLike[str] | None = None,
    model: str | PathLike[str] | None = None,
    text: str | PathLike[str] | Sequence[str | PathLike[str]] | Mapping[str, str | PathLike[str]] | None = None,
    headwords: str | PathLike[str] | None = None,
    alignments: str | PathLike[str] | Sequence[str | PathLike[str]] | Mapping[str, str | PathLike[str]] | None = None,
    senses: str | PathLike[str] | None = None,
    tag: str | PathLike[str] | Mapping[str, str | PathLike[str]] | None = None,
    count: int | None = None,
    most: int = 8,
    layer: int | None = None,
    most_occurrences: int = 1000,
    sentences: int = 4000,
    contrast: float = 0.7,
    top: int = 10,
    examples: int = 5,
    drawn: int = 8,
    words: Literal['characters', 'spaces', 'spacy', 'words'] = 'words',
    lowercase: bool = True,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Find the senses of words in a corpus, and tag text with them.

    Makes: senses.json (senses with shares, nearest words, translations, examples), senses.vec (a vector per sense), concordance.tsv, review.csv for a spreadsheet (lexenc read-review), senses.html, senses.svg; with --tag tags.tsv, with --senses only that.

    Args:
        encoder: Encoder with context. With senses, only if it has moved.
        model: Sense-aware model (pretrain senses), instead of encoder. Its own senses are used.
        text: Text of a language with its name, e.g. en=corpus.txt, one sentence per line. Once per language; further ones are compared with the senses, e.g. for translations.
        headwords: File with one headword per line, besides WORD or instead of it.
        alignments: Word links of parallel text, for translations: a folder of lexenc align, with the languages of its sides, e.g. en-de=runs/links.
        senses: Senses that were found or reviewed before, to tag another text with.
        tag: Text to tag with the senses. Of another language than the first: de=text.txt.
        out: Folder for the result.
        word: Headword. Several words in sequence are one headword if they are quoted. It belongs to the language of the first text; of another language write de=Bank.
        count: Number of senses of each headword. auto, the default: it is chosen.
        most: Largest number of senses that is chosen.
        layer: Layer of the encoder whose states are clustered, negative from the end. If left out, the last but one.
        most_occurrences: Largest number of occurrences of a headword to use, drawn at random.
        sentences: Sentences of each text, drawn at random, over which the vectors of words are averaged to find the words nearest to a sense. More sentences: more words, and more time.
        contrast: How far the mean of a word is removed from its senses before the nearest words are looked up. 0: not at all, which shows what the senses have in common; 1: wholly, which shows only how they differ.
        top: Number of nearest words, typical words and translations of a sense.
        examples: Number of examples of a sense on the page and in senses.json.
        drawn: Number of headwords in the picture, and of those on the page that have charts.
        words: How texts are split into words. words: Unicode words and punctuation. spaces: the text between spaces. characters: for languages without spaces. spacy: tokens of spaCy, if installed.
        lowercase: Ignore case when headwords and words are compared. The encoder sees words as they are.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def project(
    *,
    encoder: str | PathLike[str] | Sequence[str | PathLike[str]] | Mapping[str, str | PathLike[str]],
    text: str | PathLike[str] | Sequence[str | PathLike[str]] | Mapping[str, str | PathLike[str]],
    dictionary: str | PathLike[str] | Sequence[tuple[str, str]],
    out: str | PathLike[str],
    method: Literal['lstsq', 'procrustes'] = 'lstsq',
    layers: int | Sequence[int] = (),
    most_occurrences: int = 200,
    minimum_count: int = 5,
    vocabulary: int = 10000,
    identical: bool = True,
    held_out: float = 0.1,
    pooling: Literal['auto', 'cls', 'mean', 'model'] = 'auto',
    words: Literal['characters', 'spaces', 'spacy', 'words'] = 'words',
    lowercase: bool = True,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Map the layers of an encoder of one language into the space of that of another.

    Makes: an encoder per language, in folders of their names, and the anchors as a shared space; of one encoder also anchors-before, without the map.

    Args:
        encoder: Encoder of each language, e.g. en=runs/en-lm: a transformer or ELMo. Their widths may differ. Without a name: one encoder for both languages.
        text: Text of each language with its name, e.g. en=en.txt, one sentence per line. The second one is mapped into the space of the first (the paper maps the first).
        dictionary: Word pairs, the first language in the first column; a result of induce too.
        out: Folder for the result.
        method: Map of each layer. lstsq: least squares, as in the paper; it needs more pairs than the encoder has dimensions. procrustes: the nearest rotation, which keeps the distances within the second language.
        layers: Layers to map, e.g. 0,1,2; 0 is the input of the first layer, negative numbers count from the end. Each is mapped to the layer of the same number of the other encoder. If left out, those of which vectors of texts are made: the last of a transformer.
        most_occurrences: Largest number of occurrences of a word to average, drawn at random, one per line. More: better anchors, and more time.
        minimum_count: Smallest number of occurrences of a word.
        vocabulary: Number of most frequent words of each text that get an anchor without being in a pair. Held-out words are looked up among them.
        identical: Also learn from the strings that occur in both texts, each once.
        held_out: Share of the words of the second language to test the maps on, which are not learned from.
        pooling: Pooling of the vectors of texts. mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; model: the modules of the encoder; auto: model if it has modules, else mean.
        words: How texts are split into words. words: Unicode words and punctuation. spaces: the text between spaces. characters: for languages without spaces. spacy: tokens of spaCy, if installed.
        lowercase: Ignore case when words are compared. The encoder sees words as they are.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def interpolate(
    *,
    vectors: str | PathLike[str],
    encoder: str | PathLike[str],
    dictionary: str | PathLike[str] | Sequence[tuple[str, str]],
    out: str | PathLike[str],
    source_vocabulary: str | PathLike[str] | None = None,
    target_vocabulary: str | PathLike[str] | None = None,
    lambda_: float = 0.3,
    pooling: Literal['auto', 'cls', 'first-last', 'mean', 'model'] = 'auto',
    missing: Literal['average', 'drop', 'encoder'] = 'encoder',
    lowercase: bool = False,
    unicode: Literal['keep', 'nfc', 'nfkc'] = 'keep',
    source_language: str | None = None,
    target_language: str | None = None,
    force: bool = False,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Blend the vectors of a shared space with an encoder: (1 - lambda) static + lambda encoder.

    Makes: source/ and target/ (vectors.npy, words.txt) with the encoder's dimensions, and projection.safetensors.

    Args:
        vectors: Shared space: a folder of map.
        encoder: Encoder: 'mini', a folder, or a hub name.
        dictionary: Training dictionary, from which the projection to the encoder is learned.
        source_vocabulary: Further source words or phrases for the result: a list, or a folder with words.txt.
        target_vocabulary: The same for the target.
        out: Folder for the result.
        lambda_: Weight of the encoder: 0 is the static space, 1 the encoder alone.
        pooling: mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; auto: model if the encoder has modules, else mean.
        missing: Words of source_vocabulary and target_vocabulary without a static vector: encoder: the encoding alone; average: blended with the mean static vector of their parts, if any; drop: leave them out.
        lowercase: Lower-case all words. Of words that become equal, the first one is kept.
        unicode: Unicode normal form of all words. nfc: a letter and its accents are one character; nfkc: full-width letters and ligatures are plain letters as well; keep: as they are.
        source_language: BCP-47 code of the source words, for lowercase=True and multilingual TMX, XLIFF and TBX files.
        target_language: The same for the target words.
        force: Replace another result in `out`.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def eval_bli(
    *,
    dictionary: str | PathLike[str] | Sequence[tuple[str, str]],
    vectors: str | PathLike[str] | None = None,
    source: str | PathLike[str] | None = None,
    target: str | PathLike[str] | None = None,
    encoder: str | PathLike[str] | None = None,
    train_dictionary: str | PathLike[str] | Sequence[tuple[str, str]] | None = None,
    source_vocabulary: str | PathLike[str] | None = None,
    target_vocabulary: str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
    retrieval: Literal['csls', 'inverted-softmax', 'nearest'] = 'nearest',
    csls_neighbours: int = 10,
    inverse_temperature: float = 1.0,
    direction: Literal['source-target', 'target-source'] = 'source-target',
    candidates: Literal['test', 'vocabulary'] = 'vocabulary',
    lambda_: float | Sequence[float] = (),
    pair: str | Sequence[str] = (),
    top: int = 10,
    pooling: Literal['auto', 'cls', 'first-last', 'mean', 'model'] = 'auto',
    limit: int | None = None,
    lowercase: bool = False,
    unicode: Literal['keep', 'nfc', 'nfkc'] = 'keep',
    source_language: str | None = None,
    target_language: str | None = None,
    fail_under: float = 0.0,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Score word translation: precision at 1, 5 and 10, MRR and MAP.

    Makes: scores.json, and items.jsonl with the answers to every test word, for lexenc compare and results.

    Args:
        dictionary: Test dictionary: source, TAB, target; several lines for several translations. For a hub, a folder with files such as en-de.tsv.
        vectors: Shared space: a folder of map, interpolate or map-hub.
        source: Source vectors in one space with target, in place of vectors.
        target: Target vectors.
        encoder: Encoder, alone or blended with the vectors.
        train_dictionary: Dictionary for blending vectors with an encoder.
        source_vocabulary: Source words for an encoder alone. CSLS averages over them.
        target_vocabulary: Target words that an encoder alone can choose from.
        out: Folder for the result. None does not keep it.
        retrieval: How answers are ranked. One of: nearest, csls, inverted-softmax.
        csls_neighbours: Neighbours that CSLS averages over.
        inverse_temperature: Factor on the cosine in the inverted softmax (VecMap 1, MUSE 30).
        direction: Direction of lookup. One of: source-target, target-source.
        candidates: vocabulary: the whole target vocabulary; test: the test targets only, which is far easier.
        lambda_: With encoder and vectors: weights of the encoder to compare; if left out 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.
        pair: Pairs of languages of a hub to score, e.g. en-de. Default: all that have a dictionary, in both directions.
        top: Number of answers to keep for every test word.
        pooling: mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; auto: model if the encoder has modules, else mean.
        limit: Use the first words of each vocabulary only; they are the most frequent.
        lowercase: Lower-case all words. Of words that become equal, the first one is kept.
        unicode: Unicode normal form of all words. nfc: a letter and its accents are one character; nfkc: full-width letters and ligatures are plain letters as well; keep: as they are.
        source_language: BCP-47 code of the source words, for lowercase=True and multilingual TMX, XLIFF and TBX files.
        target_language: The same for the target words.
        fail_under: Exit with 1 if the precision at 1 of the headline (of the first lambda) is below this.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def cross_pairs(
    *,
    source: str | PathLike[str],
    out: str | PathLike[str],
    target: str | PathLike[str] | None = None,
    max_difference: float = 0.2,
    highest_score: float | None = None,
    repeated: Literal['drop', 'keep'] = 'keep',
    source_language: str | None = None,
    target_language: str | None = None,
    force: bool = False,
    progress: bool | Progress = False,
) -> Result:
    """Build cross-lingual similarity pairs from the same pairs in two languages.

    Makes: pairs.tsv: word, word of the other language, mean score, row; for eval xlsim.

    Args:
        source: Similarity pairs of the first language, or a file of many languages.
        target: The same pairs in the second language, row by row. Not needed for a file of many languages.
        out: Folder for the result.
        max_difference: Drop rows whose two scores differ by more than this share of the scale (Multi-SimLex: 0.2).
        highest_score: Upper end of the scale, which starts at 0. If left out, 6 for Multi-SimLex and 10 for other files.
        repeated: Repeated pairs, which synonyms make: keep all, or drop all but the first. One of: keep, drop.
        source_language: Code of the language to read from a source file of many languages, such as Multi-SimLex.
        target_language: Code of the language to read from a target file of many languages, such as Multi-SimLex.
        force: Replace another result in `out`.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def eval_xlsim(
    *,
    pairs: str | PathLike[str] | Sequence[tuple[str, str]],
    vectors: str | PathLike[str] | None = None,
    encoder: str | PathLike[str] | None = None,
    train_dictionary: str | PathLike[str] | Sequence[tuple[str, str]] | None = None,
    out: str | PathLike[str] | None = None,
    draws: int = 10000,
    level: float = 0.95,
    side: Literal['both', 'source', 'target'] = 'both',
    missing: Literal['average', 'back-off', 'drop', 'encoder'] | None = None,
    back_off: float = 0.0,
    lambda_: float | Sequence[float] = (),
    pooling: Literal['auto', 'cls', 'first-last', 'mean', 'model'] = 'auto',
    limit: int | None = None,
    lowercase: bool = False,
    unicode: Literal['keep', 'nfc', 'nfkc'] = 'keep',
    source_language: str | None = None,
    target_language: str | None = None,
    language: str | None = None,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Score word similarity within or across languages: correlation with human ratings.

    Makes: scores.json, and items.jsonl with the similarity of every pair, for lexenc compare and results.

    Args:
        pairs: Scored pairs: SimLex, WordSim-353, Multi-SimLex, a result of cross-pairs, or word, TAB, word, TAB, score.
        vectors: Shared space (a folder of map or interpolate), or vectors of one language.
        encoder: Encoder, alone or blended with the vectors.
        train_dictionary: Dictionary for blending vectors with an encoder.
        out: Folder for the result. None does not keep it.
        draws: Number of bootstrap resamplings of the test set.
        level: Level of the confidence intervals.
        side: Where to look words up in a shared space. both: left words in source, right words in target; source, target: both in one language. One of: both, source, target.
        missing: Words without a static vector. encoder: use the encoder alone; average: use the mean of a phrase's parts; drop: leave their pairs out of the headline; back-off: count their pairs, with back_off. If left out, encoder in a blend, else drop. With several lambda_ the headline has only the pairs with static vectors, the same for all; the others count in another row.
        back_off: Similarity of pairs with a missing word, if all pairs count.
        lambda_: With encoder and vectors: weights of the encoder to compare; if left out 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.
        pooling: mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; auto: model if the encoder has modules, else mean.
        limit: Use the first words of each vocabulary only; they are the most frequent.
        lowercase: Lower-case all words. Of words that become equal, the first one is kept.
        unicode: Unicode normal form of all words. nfc: a letter and its accents are one character; nfkc: full-width letters and ligatures are plain letters as well; keep: as they are.
        source_language: Language code (BCP-47) of the left words. It selects them in a file of many languages, and 'tr' lower-cases I as Turkish does.
        target_language: Language code (BCP-47) of the right words. It selects them in a file of many languages, and 'tr' lower-cases I as Turkish does.
        language: Language of both words, for pairs of one language.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def eval_sts(
    *,
    pairs: str | PathLike[str] | Sequence[str | PathLike[str]] | Sequence[tuple[str, str]],
    gold: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    second: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    encoder: str | PathLike[str] | None = None,
    target_encoder: str | PathLike[str] | None = None,
    vectors: str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
    draws: int = 10000,
    level: float = 0.95,
    pooling: Literal['auto', 'cls', 'first-last', 'mean', 'model'] = 'auto',
    max_length: int | None = None,
    lowercase: bool = False,
    unicode: Literal['keep', 'nfc', 'nfkc'] = 'keep',
    source_language: str | None = None,
    target_language: str | None = None,
    scores: Literal['distance', 'similarity'] | None = None,
    empty: Literal['drop', 'keep'] = 'drop',
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Score sentence similarity within or across languages: correlation with human ratings.

    Makes: scores.json, and items.jsonl with the similarity of every pair.

    Args:
        pairs: Sentence, TAB, sentence, TAB, score; CSV; or JSON Lines with sentence1, sentence2 and score. Each file is a track, or each language of a column lang.
        gold: Scores in files of their own, line by line (STS 2017).
        second: The same pairs in another language, with the same scores: the first sentences of pairs are compared with the second ones of this file.
        encoder: Encoder.
        target_encoder: Encoder of the right sentences, if it is not encoder: one of their language, whose vectors are in the same space.
        vectors: Shared space, or vectors of one language. A sentence is the mean of its words.
        out: Folder for the result. None does not keep it.
        draws: Number of bootstrap resamplings of the test set.
        level: Level of the confidence intervals.
        pooling: mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; auto: model if the encoder has modules, else mean.
        max_length: Longest sentence in tokens. Longer sentences are cut.
        lowercase: Lower-case all words. Of words that become equal, the first one is kept.
        unicode: Unicode normal form of all words. nfc: a letter and its accents are one character; nfkc: full-width letters and ligatures are plain letters as well; keep: as they are.
        source_language: BCP-47 code of the left sentences. An encoder that was trained with languages gets its vector; with static vectors it is for lowercase=True. By default none.
        target_language: The same for the right words.
        scores: What a larger score means. similarity: more similar. distance: less similar, as in the column Overall of SemEval 2022, where 1 is most similar; the sign of the scores is turned. By default similarity. A column named Overall needs the choice.
        empty: Pairs with an empty sentence. drop: they are left out and counted. keep: they are scored, as version 1 of STS22 in mteb does.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def eval_bitext(
    *,
    source: str | PathLike[str],
    target: str | PathLike[str],
    gold: str | PathLike[str],
    dev: str | PathLike[str] | None = None,
    encoder: str | PathLike[str] | None = None,
    target_encoder: str | PathLike[str] | None = None,
    vectors: str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
    draws: int = 10000,
    level: float = 0.95,
    pooling: Literal['auto', 'cls', 'first-last', 'mean', 'model'] = 'auto',
    max_length: int | None = None,
    lowercase: bool = False,
    unicode: Literal['keep', 'nfc', 'nfkc'] = 'keep',
    source_language: str | None = None,
    target_language: str | None = None,
    protocol: Literal['dev-test', 'mteb', 'oracle'] = 'dev-test',
    margin: Literal['absolute', 'distance', 'ratio'] = 'ratio',
    neighbours: int = 4,
    keep: Literal['backward', 'forward', 'intersection', 'max'] = 'max',
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Score bitext mining: precision, recall and F1 of mined sentence pairs, as for BUCC.

    Makes: scores.json, and items.jsonl with the gold pairs and the mined pairs of every source sentence.

    Args:
        source: Source sentences, one per line; each may follow its id and a TAB (BUCC).
        target: Target sentences, the same.
        gold: Pairs: source id, TAB, target id. Without ids, line numbers from 1.
        dev: Folder of other text with the same file names, or with one file each of the same last extension. The threshold comes from it.
        encoder: Encoder.
        target_encoder: Encoder of the right sentences, if it is not encoder: one of their language, whose vectors are in the same space.
        vectors: Shared space, or vectors of one language. A sentence is the mean of its words.
        out: Folder for the result. None does not keep it.
        draws: Number of bootstrap resamplings of the test set.
        level: Level of the confidence intervals.
        pooling: mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; auto: model if the encoder has modules, else mean.
        max_length: Longest sentence in tokens. Longer sentences are cut.
        lowercase: Lower-case all words. Of words that become equal, the first one is kept.
        unicode: Unicode normal form of all words. nfc: a letter and its accents are one character; nfkc: full-width letters and ligatures are plain letters as well; keep: as they are.
        source_language: BCP-47 code of the left sentences. An encoder that was trained with languages gets its vector; with static vectors it is for lowercase=True. By default none.
        target_language: The same for the right words.
        protocol: dev-test: choose the threshold on dev. oracle: choose it on the test itself, as some papers do; the scores are too high. mteb: retrieve the nearest target of every gold source without a threshold; weighted F1.
        margin: Score of a pair: how its cosine compares with the mean cosine to the neighbours. One of: ratio, distance, absolute.
        neighbours: Nearest neighbours per sentence: its candidates, and its mean cosine.
        keep: Pairs to keep. max: the best of both directions, every sentence once; intersection: pairs that are best in both; forward: the best of every source; backward: the best of every target.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def eval_topics(
    *,
    train: str | PathLike[str] | Sequence[tuple[str, str]],
    test: str | PathLike[str] | Sequence[str | PathLike[str]] | Sequence[tuple[str, str]],
    encoder: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    draws: int = 10000,
    level: float = 0.95,
    pooling: Literal['auto', 'cls', 'first-last', 'mean', 'model'] = 'auto',
    max_length: int | None = None,
    documents: Literal['cut', 'mean'] = 'cut',
    c: float | None = None,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Score a classifier of topics on document vectors: trained in one language, tested in others.

    Makes: scores.json, and items.jsonl with the topic that was predicted for every document.

    Args:
        train: Training documents: label, TAB, text; or a table with category, headline and text.
        test: Test documents of a language. Each file is a track.
        encoder: Encoder.
        out: Folder for the result. None does not keep it.
        draws: Number of bootstrap resamplings of the test set.
        level: Level of the confidence intervals.
        pooling: mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; auto: model if the encoder has modules, else mean.
        max_length: Longest sentence in tokens. Longer sentences are cut.
        documents: cut: a document is one text, cut at the longest input; mean: the mean of the vectors of its sentences.
        c: Inverse strength of the L2 penalty of the classifier: a larger value fits the training text more closely. If left out, the best of 1, 10, 100 in cross-validation on the training text.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def eval_clustering(
    *,
    texts: str | PathLike[str] | Sequence[str | PathLike[str]],
    encoder: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    draws: int = 10000,
    level: float = 0.95,
    pooling: Literal['auto', 'cls', 'first-last', 'mean', 'model'] = 'auto',
    max_length: int | None = None,
    documents: Literal['cut', 'mean'] = 'cut',
    clusters: int | None = None,
    seeds: int = 5,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Score clusters of document vectors against labels: purity and V-measure over several seeds.

    Makes: scores.json, and items.jsonl with the clusters of every document.

    Args:
        texts: Documents: label, TAB, text; or a table with category, headline and text. Each file is clustered by itself.
        encoder: Encoder.
        out: Folder for the result. None does not keep it.
        draws: Number of bootstrap resamplings of the test set.
        level: Level of the confidence intervals.
        pooling: mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; auto: model if the encoder has modules, else mean.
        max_length: Longest sentence in tokens. Longer sentences are cut.
        documents: cut: a document is one text, cut at the longest input; mean: the mean of the vectors of its sentences.
        clusters: Number of clusters. If left out, the number of labels of the file.
        seeds: Number of clusterings: with seed, the next one, and so on.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def eval_senses(
    *,
    gold: str | PathLike[str] | Sequence[str | PathLike[str]],
    encoder: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    draws: int = 10000,
    level: float = 0.95,
    count: str = 'gold',
    space: Literal['background', 'plain'] = 'background',
    layer: int | None = None,
    most: int = 400,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Score induced senses of words against gold senses: adjusted Rand index, and accuracy with few examples.

    Makes: scores.json, and items.jsonl with the induced sense of every occurrence.

    Args:
        gold: Occurrences with gold senses: a lexical sample of Senseval, in XML, or a .pos file of NLTK. Each word is a test set.
        encoder: Encoder.
        out: Folder for the result. None does not keep it.
        draws: Number of bootstrap resamplings of the test set.
        level: Level of the confidence intervals.
        count: Number of senses of each word. gold: as many as the gold senses, which no user knows. auto: chosen from the vectors. Or a number.
        space: Where senses are sought. background: in the three directions in which the word differs most between contexts, compared with other words of the same sentences. plain: in the vectors as they are, which are only centred.
        layer: Layer of the encoder that vectors are taken from; negative from the end. If left out, the last but one.
        most: Largest number of occurrences of a word. Of more, this many are drawn at random.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def eval_wsd(
    *,
    encoder: str | PathLike[str],
    train: str | PathLike[str] | Sequence[tuple[str, str]],
    test: str | PathLike[str] | Sequence[str | PathLike[str]] | Sequence[tuple[str, str]],
    gold: str | PathLike[str] | Sequence[str | PathLike[str]],
    train_gold: str | PathLike[str] | None = None,
    back_off: str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
    draws: int = 10000,
    level: float = 0.95,
    layer: int | Sequence[int] = (),
    combine: Literal['concat', 'mean'] = 'concat',
    resample: Literal['documents', 'instances', 'sentences'] = 'documents',
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Score senses of words in context: the nearest of the sense vectors that are learned from tagged text.

    Makes: scores.json, and items.jsonl with the senses that were chosen for every instance.

    Args:
        encoder: Encoder.
        train: Training data: SemCor as a folder, a tar archive or a file; or XML as test.
        train_gold: Sense keys of the training data, if it is XML.
        test: XML with <instance id lemma pos> in its sentences (Raganato et al. 2017). Each file is a track.
        gold: Sense keys of each test: the id of an instance and its keys on each line.
        back_off: WordNet's index.sense or cntlist.rev, whose first sense is the answer for lemmas without training data. By default such an answer is wrong.
        out: Folder for the result. None does not keep it.
        draws: Number of bootstrap resamplings of the test set.
        level: Level of the confidence intervals.
        layer: Layer of the encoder that vectors are taken from, negative from the end; or several, e.g. 1,2. If left out, two thirds of the way up: 8 of 12, 4 of 6, the last of up to three.
        combine: How the vectors of several layers become one. One of: concat, mean.
        resample: What intervals draw. Instances of a document or a sentence are alike, so that drawing them one by one gives intervals that are too narrow; fewer than ten documents give no reliable interval. One of: documents, sentences, instances.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def eval_ner(
    *,
    encoder: str | PathLike[str],
    train: str | PathLike[str] | Sequence[str | PathLike[str]] | Sequence[tuple[str, str]],
    test: str | PathLike[str] | Sequence[str | PathLike[str]] | Sequence[tuple[str, str]],
    test_encoder: str | PathLike[str] | None = None,
    dev: str | PathLike[str] | float | None = None,
    out: str | PathLike[str] | None = None,
    draws: int = 10000,
    level: float = 0.95,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    weight_decay: float = 0.0,
    schedule: Literal['constant', 'linear'] = 'linear',
    warmup: float = 0.1,
    clip: float = 1.0,
    chunk_tokens: int = 16384,
    checkpoint_seconds: float = 60.0,
    steps: int | None = None,
    head: Literal['bilstm-crf', 'fine-tune'] = 'bilstm-crf',
    seeds: int = 5,
    dev_share: float | None = None,
    layer: int | Sequence[int] = (),
    combine: Literal['concat', 'mean'] = 'mean',
    word: Literal['first', 'mean'] = 'mean',
    hidden: int = 256,
    dropout: float = 0.5,
    max_length: int = 512,
    types: str | Sequence[str] = (),
    random_vectors: bool = True,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Score named entities: train a tagger on one language, test it on any, with several seeds.

    Makes: scores.json, items.jsonl with the entities that every seed found, and training.jsonl of each seed with loss and learning rate per step.

    Args:
        encoder: Encoder.
        test_encoder: Encoder of the test sentences, if it is another one: one for their language whose vectors are in the same space. By default encoder.
        train: Training data: a word and its tag on each line, an empty line after each sentence (CoNLL, WikiANN, MasakhaNER).
        dev: Development data of the same form, in the language of train, to choose the epoch; or a share of the training data, e.g. 0.1.
        test: Test data of the same form. Each file is a test set.
        out: Folder for the result. None does not keep it.
        draws: Number of bootstrap resamplings of the test set.
        level: Level of the confidence intervals.
        epochs: Passes over the training data. By default 20 for bilstm-crf and 3 to fine-tune, or as steps needs.
        batch_size: Sentences per step. By default 32 for bilstm-crf and 16 to fine-tune.
        learning_rate: Peak learning rate. By default 2e-3 for bilstm-crf and 5e-5 to fine-tune.
        weight_decay: Weight decay of AdamW. Biases and normalisation layers have none.
        schedule: Learning rate after the warm-up. linear: falls to 0. constant: stays at the peak.
        warmup: Share of the steps in which the learning rate rises to its peak.
        clip: Maximum norm of the gradient. Use 0 for no clipping.
        chunk_tokens: Maximum number of subwords in one pass. A larger step is split into chunks, which needs less memory and changes only dropout.
        checkpoint_seconds: Time between checkpoints, in seconds.
        steps: Steps of training, instead of epochs.
        head: bilstm-crf: a bidirectional LSTM with a CRF is trained on the vectors of the frozen encoder. fine-tune: the encoder is trained with a linear layer on the first subword of each word.
        seeds: Number of taggers, trained with seeds from seed on. Scores are their means.
        dev_share: Share of the training sentences that is held out to choose the epoch. Use 0 for none. By default 0.1, unless dev names a file.
        layer: bilstm-crf: layer of the encoder that vectors are taken from, negative from the end; or several, e.g. -1,-2. If left out, all layers, with the input of the first.
        combine: bilstm-crf: how the vectors of several layers become one. concat needs more time and memory. One of: mean, concat.
        word: bilstm-crf: the vector of a word is the mean of its subwords, or that of its first subword. One of: mean, first.
        hidden: bilstm-crf: width of the LSTM of each direction.
        dropout: bilstm-crf: share of inputs and outputs of the LSTM that is dropped.
        max_length: Longest sentence in words, to fine-tune in subwords. The rest is not learned, and in test data it is answered as outside of entities.
        types: Types of entities that count, e.g. PER,LOC,ORG. Others are treated as ordinary words. If left out, all types.
        random_vectors: Score a control too: the bilstm-crf on a random vector for each distinct word, with one seed.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def eval_language_id(
    *,
    text: str | PathLike[str] | Sequence[str | PathLike[str]] | Mapping[str, str | PathLike[str]],
    encoder: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    draws: int = 10000,
    level: float = 0.95,
    pooling: Literal['auto', 'cls', 'first-last', 'mean', 'model'] = 'auto',
    max_length: int | None = None,
    c: float = 1.0,
    test_share: float = 0.2,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Score how well sentence vectors show their language. Lower means more language-neutral.

    Makes: scores.json, and items.jsonl with the language that was predicted for every sentence.

    Args:
        text: Sentences of a language with its name, e.g. en=en.txt. Line k of every file is the same sentence.
        encoder: Encoder.
        out: Folder for the result. None does not keep it.
        draws: Number of bootstrap resamplings of the test set.
        level: Level of the confidence intervals.
        pooling: mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; auto: model if the encoder has modules, else mean.
        max_length: Longest sentence in tokens. Longer sentences are cut.
        c: Inverse strength of the L2 penalty. A larger value finds more of the language.
        test_share: Share of the line numbers to test on. The classifier is trained on the others.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def eval_mteb(
    *,
    encoder: str | PathLike[str],
    data: str | PathLike[str] | Sequence[str | PathLike[str]] | Mapping[str, str | PathLike[str]] | None = None,
    out: str | PathLike[str] | None = None,
    draws: int = 10000,
    level: float = 0.95,
    pooling: Literal['auto', 'cls', 'first-last', 'mean', 'model'] = 'auto',
    max_length: int | None = None,
    tasks: str | Sequence[str] = (),
    subsets: str | Sequence[str] = (),
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Score an encoder in tasks of mteb, which has to be installed.

    Makes: scores.json, and items.jsonl with the main score of every subset.

    Args:
        data: Data of a task, a copy of its repository on the hub: TASK=FOLDER. If left out, mteb downloads it.
        encoder: Encoder.
        out: Folder for the result. None does not keep it.
        draws: Number of bootstrap resamplings of the test set.
        level: Level of the confidence intervals.
        pooling: mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; auto: model if the encoder has modules, else mean.
        max_length: Longest sentence in tokens. Longer sentences are cut.
        tasks: Names of tasks in mteb, e.g. STS17,Tatoeba. Each task is a track.
        subsets: Subsets of the tasks, such as pairs of languages, e.g. en-en,es-en. If left out, all of them.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def eval_retrieval(
    *,
    source: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    target: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    tatoeba: str | PathLike[str] | None = None,
    encoder: str | PathLike[str] | None = None,
    target_encoder: str | PathLike[str] | None = None,
    vectors: str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
    draws: int = 10000,
    level: float = 0.95,
    pooling: Literal['auto', 'cls', 'first-last', 'mean', 'model'] = 'auto',
    max_length: int | None = None,
    lowercase: bool = False,
    unicode: Literal['keep', 'nfc', 'nfkc'] = 'keep',
    source_language: str | None = None,
    target_language: str | None = None,
    list_: Literal['14', '36', '4', '5', '8', 'all', 'msimcse'] | None = None,
    retrieval: Literal['csls', 'inverted-softmax', 'nearest'] = 'nearest',
    characters_up_to: int = 2000,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Score sentence retrieval: how often the nearest sentence of the other language is the translation.

    Makes: scores.json, and items.jsonl with the nearest sentences of every line.

    Args:
        source: Sentences, one per line. Each file is a test set.
        target: Their translations, line by line.
        tatoeba: Folder with the files tatoeba.xxx-eng.xxx and tatoeba.xxx-eng.eng of LASER. The source is language xxx.
        encoder: Encoder.
        target_encoder: Encoder of the right sentences, if it is not encoder: one of their language, whose vectors are in the same space.
        vectors: Shared space, or vectors of one language. A sentence is the mean of its words.
        out: Folder for the result. None does not keep it.
        draws: Number of bootstrap resamplings of the test set.
        level: Level of the confidence intervals.
        pooling: mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; auto: model if the encoder has modules, else mean.
        max_length: Longest sentence in tokens. Longer sentences are cut.
        lowercase: Lower-case all words. Of words that become equal, the first one is kept.
        unicode: Unicode normal form of all words. nfc: a letter and its accents are one character; nfkc: full-width letters and ligatures are plain letters as well; keep: as they are.
        source_language: BCP-47 code of the left sentences. An encoder that was trained with languages gets its vector; with static vectors it is for lowercase=True. By default none.
        target_language: The same for the right words.
        list_: Languages of tatoeba. 14: those of XNLI; 36: those of XTREME; 8, 5, 4: low-resource languages of WACSE; msimcse: ten languages of mSimCSE; all: every language of the folder. By default all. One of: 14, 36, 8, 5, 4, msimcse, all.
        retrieval: Retrieval method. nearest: highest cosine; csls and inverted-softmax: less often a sentence that is close to all others. One of: nearest, csls, inverted-softmax.
        characters_up_to: Largest number of pairs of a test set for which character n-grams alone are scored as well, as a control. Time grows with the square. Use 0 for none.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def eval_nli(
    *,
    train: str | PathLike[str] | Sequence[str | PathLike[str]] | Sequence[tuple[str, str]],
    test: str | PathLike[str] | Sequence[str | PathLike[str]] | Sequence[tuple[str, str]],
    encoder: str | PathLike[str],
    dev: str | PathLike[str] | float | None = None,
    test_encoder: str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
    draws: int = 10000,
    level: float = 0.95,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    weight_decay: float = 0.0,
    schedule: Literal['constant', 'linear'] = 'linear',
    warmup: float = 0.1,
    clip: float = 1.0,
    chunk_tokens: int = 16384,
    checkpoint_seconds: float = 60.0,
    steps: int | None = None,
    head: Literal['bilstm', 'dense', 'fine-tune'] | None = None,
    seeds: int = 3,
    dev_share: float | None = None,
    language: str = 'en',
    pooling: Literal['auto', 'cls', 'first-last', 'mean', 'model'] | None = None,
    max_length: int = 128,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Score language inference: train a classifier on English, test it on every language, with several seeds.

    Makes: scores.json, items.jsonl with the answers of every seed, and training.jsonl of each seed with loss and learning rate per step.

    Args:
        train: Training data: premise, hypothesis and label (SNLI, MultiNLI, XNLI, SICK, AmericasNLI), TSV, CSV or JSONL.
        dev: Development data of the same form, in the language of train, to choose the epoch; or a share of the training data, e.g. 0.1.
        test: Test data of the same form. Each file, and each language in it, is a test set.
        encoder: Encoder.
        test_encoder: Encoder of the test data, if it is not encoder: one of another language, whose vectors are in the same space. For head dense and bilstm.
        out: Folder for the result. None does not keep it.
        draws: Number of bootstrap resamplings of the test set.
        level: Level of the confidence intervals.
        epochs: Passes over the training data. By default 2 to fine-tune, 10 for dense and 5 for bilstm, or as steps needs.
        batch_size: Examples per step. By default 32 to fine-tune, else 64. The usual 256 for XNLI leaves few steps where training data is small.
        learning_rate: Peak learning rate. By default 5e-5 to fine-tune, else 1e-3.
        weight_decay: Weight decay of AdamW. Biases and normalisation layers have none.
        schedule: Learning rate after the warm-up. linear: falls to 0. constant: stays at the peak.
        warmup: Share of the steps in which the learning rate rises to its peak.
        clip: Maximum norm of the gradient. Use 0 for no clipping.
        chunk_tokens: Maximum number of subwords in one pass. A larger step is split into chunks, which needs less memory and changes only dropout.
        checkpoint_seconds: Time between checkpoints, in seconds.
        steps: Steps of training, instead of epochs.
        head: fine-tune: the encoder is trained with a linear layer, and a pair is one input. dense: two dense layers are trained on the vectors u and v of the frozen encoder, with |u - v| and u * v. bilstm: the same, but a BiLSTM with max pooling makes u and v from the states of the tokens of the frozen encoder. By default fine-tune, and dense for static encoders and ELMo.
        seeds: Number of classifiers, trained with seeds from seed on. Scores are their means.
        dev_share: Share of the training data that is held out to choose the epoch. Use 0 for none. By default 0.1, unless dev names a file.
        language: Language of train and dev, where a file has a column for the language.
        pooling: mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; auto: model if the encoder has modules, else mean. By default cls to fine-tune, else auto.
        max_length: Longest input in tokens, to fine-tune that of a whole pair. The rest is cut.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def eval_paraphrase(
    *,
    train: str | PathLike[str] | Sequence[str | PathLike[str]] | Sequence[tuple[str, str]],
    test: str | PathLike[str] | Sequence[str | PathLike[str]] | Sequence[tuple[str, str]],
    encoder: str | PathLike[str],
    dev: str | PathLike[str] | float | None = None,
    test_encoder: str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
    draws: int = 10000,
    level: float = 0.95,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    weight_decay: float = 0.0,
    schedule: Literal['constant', 'linear'] = 'linear',
    warmup: float = 0.1,
    clip: float = 1.0,
    chunk_tokens: int = 16384,
    checkpoint_seconds: float = 60.0,
    steps: int | None = None,
    head: Literal['bilstm', 'dense', 'fine-tune'] | None = None,
    seeds: int = 3,
    dev_share: float | None = None,
    language: str = 'en',
    pooling: Literal['auto', 'cls', 'first-last', 'mean', 'model'] | None = None,
    max_length: int = 128,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Score the detection of paraphrases: train on English, test on every language, with several seeds.

    Makes: scores.json, items.jsonl with the answers of every seed, and training.jsonl of each seed with loss and learning rate per step.

    Args:
        train: Training data: two sentences and a label, 1 for a paraphrase (MSR, PAWS, PAWS-X), TSV or CSV.
        dev: Development data of the same form, in the language of train, to choose the epoch; or a share of the training data, e.g. 0.1.
        test: Test data of the same form. Each file, and each language in it, is a test set.
        encoder: Encoder.
        test_encoder: Encoder of the test data, if it is not encoder: one of another language, whose vectors are in the same space. For head dense and bilstm.
        out: Folder for the result. None does not keep it.
        draws: Number of bootstrap resamplings of the test set.
        level: Level of the confidence intervals.
        epochs: Passes over the training data. By default 2 to fine-tune, 10 for dense and 5 for bilstm, or as steps needs.
        batch_size: Examples per step. By default 32 to fine-tune, else 64. The usual 256 for XNLI leaves few steps where training data is small.
        learning_rate: Peak learning rate. By default 5e-5 to fine-tune, else 1e-3.
        weight_decay: Weight decay of AdamW. Biases and normalisation layers have none.
        schedule: Learning rate after the warm-up. linear: falls to 0. constant: stays at the peak.
        warmup: Share of the steps in which the learning rate rises to its peak.
        clip: Maximum norm of the gradient. Use 0 for no clipping.
        chunk_tokens: Maximum number of subwords in one pass. A larger step is split into chunks, which needs less memory and changes only dropout.
        checkpoint_seconds: Time between checkpoints, in seconds.
        steps: Steps of training, instead of epochs.
        head: fine-tune: the encoder is trained with a linear layer, and a pair is one input. dense: two dense layers are trained on the vectors u and v of the frozen encoder, with |u - v| and u * v. bilstm: the same, but a BiLSTM with max pooling makes u and v from the states of the tokens of the frozen encoder. By default fine-tune, and dense for static encoders and ELMo.
        seeds: Number of classifiers, trained with seeds from seed on. Scores are their means.
        dev_share: Share of the training data that is held out to choose the epoch. Use 0 for none. By default 0.1, unless dev names a file.
        language: Language of train and dev, where a file has a column for the language.
        pooling: mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; auto: model if the encoder has modules, else mean. By default cls to fine-tune, else auto.
        max_length: Longest input in tokens, to fine-tune that of a whole pair. The rest is cut.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def eval_sentiment(
    *,
    train: str | PathLike[str] | Sequence[str | PathLike[str]] | Sequence[tuple[str, str]],
    test: str | PathLike[str] | Sequence[str | PathLike[str]] | Sequence[tuple[str, str]],
    encoder: str | PathLike[str],
    dev: str | PathLike[str] | float | None = None,
    test_encoder: str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
    draws: int = 10000,
    level: float = 0.95,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    weight_decay: float = 0.0,
    schedule: Literal['constant', 'linear'] = 'linear',
    warmup: float = 0.1,
    clip: float = 1.0,
    chunk_tokens: int = 16384,
    checkpoint_seconds: float = 60.0,
    steps: int | None = None,
    head: Literal['bilstm', 'dense', 'fine-tune'] | None = None,
    seeds: int = 3,
    dev_share: float | None = None,
    language: str = 'en',
    pooling: Literal['auto', 'cls', 'first-last', 'mean', 'model'] | None = None,
    max_length: int = 128,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Score the sentiment of texts: train on one language, test on every language, with several seeds.

    Makes: scores.json, items.jsonl with the answers of every seed, and training.jsonl of each seed with loss and learning rate per step.

    Args:
        train: Training data: text and label, with any labels: a table that names its columns (AfriSenti), TSV or CSV; or two columns with a TAB between them.
        dev: Development data of the same form, in the language of train, to choose the epoch; or a share of the training data, e.g. 0.1.
        test: Test data of the same form. Each file, and each language in it, is a test set.
        encoder: Encoder.
        test_encoder: Encoder of the test data, if it is not encoder: one of another language, whose vectors are in the same space. For head dense and bilstm.
        out: Folder for the result. None does not keep it.
        draws: Number of bootstrap resamplings of the test set.
        level: Level of the confidence intervals.
        epochs: Passes over the training data. By default 2 to fine-tune, 10 for dense and 5 for bilstm, or as steps needs.
        batch_size: Examples per step. By default 32 to fine-tune, else 64. The usual 256 for XNLI leaves few steps where training data is small.
        learning_rate: Peak learning rate. By default 5e-5 to fine-tune, else 1e-3.
        weight_decay: Weight decay of AdamW. Biases and normalisation layers have none.
        schedule: Learning rate after the warm-up. linear: falls to 0. constant: stays at the peak.
        warmup: Share of the steps in which the learning rate rises to its peak.
        clip: Maximum norm of the gradient. Use 0 for no clipping.
        chunk_tokens: Maximum number of subwords in one pass. A larger step is split into chunks, which needs less memory and changes only dropout.
        checkpoint_seconds: Time between checkpoints, in seconds.
        steps: Steps of training, instead of epochs.
        head: fine-tune: the encoder is trained with a linear layer, and a pair is one input. dense: two dense layers are trained on the vectors u and v of the frozen encoder, with |u - v| and u * v. bilstm: the same, but a BiLSTM with max pooling makes u and v from the states of the tokens of the frozen encoder. By default fine-tune, and dense for static encoders and ELMo.
        seeds: Number of classifiers, trained with seeds from seed on. Scores are their means.
        dev_share: Share of the training data that is held out to choose the epoch. Use 0 for none. By default 0.1, unless dev names a file.
        language: Language of train and dev, where a file has a column for the language.
        pooling: mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; auto: model if the encoder has modules, else mean. By default cls to fine-tune, else auto.
        max_length: Longest input in tokens, to fine-tune that of a whole pair. The rest is cut.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def encode_concepts(
    knowledge_base: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    encoder: str | PathLike[str],
    out: str | PathLike[str],
    pooling: Literal['auto', 'cls', 'first-last', 'mean', 'model'] = 'auto',
    max_length: int | None = None,
    lowercase: bool = True,
    unicode: Literal['keep', 'nfc', 'nfkc'] = 'keep',
    name_language: str | None = None,
    index: Literal['exact', 'hnsw', 'ivf'] = 'exact',
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Encode the names of a knowledge base once, for link and eval xel.

    Makes: vectors.npy (float32, unit rows) and words.txt, row by row; knowledge-base.txt; names.index with --index.

    Args:
        knowledge_base: File of 'CUI||name' lines ('CUI|CUI||name' for several concepts); several files make one base.
        encoder: Encoder: 'mini', a folder, or a hub name.
        out: Folder for the result.
        pooling: mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; auto: model if the encoder has modules, else mean.
        max_length: Maximum length of a name in tokens. Longer names are cut off.
        lowercase: Lower-case names and mentions. SapBERT's own script lower-cases only the names, which costs hits.
        unicode: Unicode normal form of all words. nfc: a letter and its accents are one character; nfkc: full-width letters and ligatures are plain letters as well; keep: as they are.
        name_language: BCP-47 code of the names, for lowercase=True, e.g. 'tr' for the dotless i.
        index: exact: no index; ivf, hnsw: build one for link and eval xel with the same index. One of: exact, ivf, hnsw.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def link(
    mentions: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    knowledge_base: str | PathLike[str] | Sequence[str | PathLike[str]],
    encoder: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    pooling: Literal['auto', 'cls', 'first-last', 'mean', 'model'] = 'auto',
    max_length: int | None = None,
    lowercase: bool = True,
    unicode: Literal['keep', 'nfc', 'nfkc'] = 'keep',
    name_language: str | None = None,
    mention_language: str | None = None,
    index: Literal['exact', 'hnsw', 'ivf'] = 'exact',
    top: int = 5,
    threshold: float | None = None,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Link mentions to the concepts of a knowledge base.

    Makes: links.jsonl: the concepts of every mention with best name and cosine. Without --out the same is printed: mention, rank, concept, name, cosine, separated by TABs if a program reads it.

    Args:
        mentions: File with one mention per line, plain or CUI||mention; several files, or - for standard input.
        knowledge_base: Knowledge base: 'CUI||name' lines ('CUI|CUI||name' for several concepts), or a folder of encode-concepts.
        encoder: Encoder: 'mini', a folder, or a hub name.
        out: Folder for the result. None does not keep it.
        pooling: mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; auto: model if the encoder has modules, else mean.
        max_length: Maximum length of a name in tokens. Longer names are cut off.
        lowercase: Lower-case names and mentions. SapBERT's own script lower-cases only the names, which costs hits.
        unicode: Unicode normal form of all words. nfc: a letter and its accents are one character; nfkc: full-width letters and ligatures are plain letters as well; keep: as they are.
        name_language: BCP-47 code of the names, for lowercase=True, e.g. 'tr' for the dotless i.
        mention_language: BCP-47 code of the mentions, for lowercase=True, e.g. 'tr' for the dotless i.
        index: exact: compare every name; ivf, hnsw: compare some of them, and measure the recall (an hnsw index built by several threads differs between runs). One of: exact, ivf, hnsw.
        top: Concepts per mention.
        threshold: Minimum cosine of the best name. A mention below it is answered NIL (not in the knowledge base).
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def eval_xel(
    *,
    knowledge_base: str | PathLike[str] | Sequence[str | PathLike[str]],
    mentions: str | PathLike[str],
    encoder: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    pooling: Literal['auto', 'cls', 'first-last', 'mean', 'model'] = 'auto',
    max_length: int | None = None,
    lowercase: bool = True,
    unicode: Literal['keep', 'nfc', 'nfkc'] = 'keep',
    name_language: str | None = None,
    mention_language: str | None = None,
    index: Literal['exact', 'hnsw', 'ivf'] = 'exact',
    baseline: bool = True,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Score entity linking: precision at 1 and 5, by name and by concept, with a control.

    Makes: scores.json, and items.jsonl with the best concepts of every mention, for lexenc compare and results.

    Args:
        knowledge_base: Knowledge base: 'CUI||name' lines ('CUI|CUI||name' for several concepts), or a folder of encode-concepts.
        mentions: Test mentions: 'CUI||mention' lines (XL-BEL), with or without '||context'.
        encoder: Encoder: 'mini', a folder, or a hub name.
        out: Folder for the result. None does not keep it.
        pooling: mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; auto: model if the encoder has modules, else mean.
        max_length: Maximum length of a name in tokens. Longer names are cut off.
        lowercase: Lower-case names and mentions. SapBERT's own script lower-cases only the names, which costs hits.
        unicode: Unicode normal form of all words. nfc: a letter and its accents are one character; nfkc: full-width letters and ligatures are plain letters as well; keep: as they are.
        name_language: BCP-47 code of the names, for lowercase=True, e.g. 'tr' for the dotless i.
        mention_language: BCP-47 code of the mentions, for lowercase=True, e.g. 'tr' for the dotless i.
        index: exact: compare every name; ivf, hnsw: compare some of them, and measure the recall (an hnsw index built by several threads differs between runs). One of: exact, ivf, hnsw.
        baseline: Score a control too: character 2-4-gram TF-IDF, which only compares the spelling.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def induce(
    *,
    vectors: str | PathLike[str],
    dictionary: str | PathLike[str] | Sequence[tuple[str, str]] | None = None,
    held_out: str | PathLike[str] | None = None,
    words: str | PathLike[str] | None = None,
    calibration: str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
    top: int = 1,
    limit: int | None = None,
    min_probability: float = 0.05,
    mutual: bool = False,
    margin: float | None = None,
    identical: Literal['drop', 'keep', 'mark'] = 'mark',
    keep_numbers: bool = False,
    only_new: bool = False,
    direction: Literal['source-target', 'target-source'] = 'source-target',
    csls_neighbours: int = 10,
    thresholds: float | Sequence[float] = (),
    folds: int = 5,
    cross_fit: bool = True,
    out_of_vocabulary: Literal['left-out', 'wrong'] = 'wrong',
    control: Literal['none', 'shuffled-pairs'] = 'none',
    lowercase: bool = False,
    unicode: Literal['keep', 'nfc', 'nfkc'] = 'keep',
    source_language: str | None = None,
    target_language: str | None = None,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Build a dictionary: the best translations of each word with calibrated probabilities.

    Makes: lexicon.tsv (every command reads it, and the folder, as a dictionary), review.csv for a spreadsheet, calibration.json, curve.tsv.

    Args:
        vectors: Shared space: a folder of map or interpolate.
        dictionary: Known entries. Probabilities are learned from them, in vectors that were not learned from them.
        held_out: Entries that the vectors were not learned from, to use instead.
        words: Translate only these words: a list, or a folder with words.txt.
        calibration: Folder of an earlier induce, whose probabilities to use, for vectors of the same kind.
        out: Folder for the result. None does not keep it.
        top: Maximum number of translations per word.
        limit: Translate only the first words of the vocabulary, the most frequent ones.
        min_probability: Minimum probability of a translation that the dictionary does not list. A larger value leaves fewer, better ones; 0 keeps all.
        mutual: Keep only pairs of which each word is the other's best translation.
        margin: Minimum difference to the word's best other candidate, in CSLS.
        identical: Translations that are spelled the same as the source word: mark: in the column status; keep: like others; drop: leave them out.
        keep_numbers: Keep words and translations without a letter, such as numbers.
        only_new: Keep only pairs that are not in the dictionary. Further translations of its words then have no probability, as probabilities are measured on words that are new as a whole.
        direction: Direction of lookup. The query language fills the first column. One of: source-target, target-source.
        csls_neighbours: Neighbours that CSLS averages over.
        thresholds: Probabilities at which precision and coverage are shown. Default: 0.5, 0.6, 0.7, 0.8, 0.9, 0.95.
        folds: Parts of the entries. Each is judged by what was learned from the others.
        cross_fit: Learn the mapping again without each part of the entries that it was learned from, for unbiased probabilities. It takes folds times as long as map.
        out_of_vocabulary: Entries whose translations all have no vector: wrong: they count as wrong; left-out: they do not count.
        control: none: no control; shuffled-pairs: learn from shuffled translations. All probabilities should be low.
        lowercase: Lower-case all words. Of words that become equal, the first one is kept.
        unicode: Unicode normal form of all words. nfc: a letter and its accents are one character; nfkc: full-width letters and ligatures are plain letters as well; keep: as they are.
        source_language: BCP-47 code of the source words, for lowercase=True and multilingual TMX, XLIFF and TBX files.
        target_language: The same for the target words.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def align(
    *,
    pairs: str | PathLike[str] | Sequence[tuple[str, str]] | None = None,
    source: str | PathLike[str] | None = None,
    target: str | PathLike[str] | None = None,
    dictionary: str | PathLike[str] | Sequence[tuple[str, str]] | None = None,
    encoder: str | PathLike[str] | None = None,
    vectors: str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
    method: Literal['argmax', 'eflomal', 'itermax', 'match', 'softmax', 'span', 'statistical'] | None = None,
    words: Literal['characters', 'spaces', 'spacy', 'words'] | None = None,
    source_words: Literal['characters', 'spaces', 'spacy', 'words'] | None = None,
    target_words: Literal['characters', 'spaces', 'spacy', 'words'] | None = None,
    threshold: float | None = None,
    symmetrise: Literal['backward', 'forward', 'grow-diag', 'grow-diag-final', 'grow-diag-final-and', 'intersection', 'threshold', 'union'] | None = None,
    lowercase: bool = True,
    source_language: str | None = None,
    target_language: str | None = None,
    layer: int | None = None,
    unit: Literal['subwords', 'words'] = 'subwords',
    distortion: float = 0.0,
    model: Literal['diagonal', 'fertility'] = 'fertility',
    chains: int = 3,
    sweeps: float = 1.0,
    dictionary_weight: float = 10.0,
    max_words: int = 200,
    min_count: int = 2,
    min_probability: float = 0.05,
    drawn: int = 50,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Align the words of parallel sentences.

    Makes: alignments.txt (Pharaoh: i-j from 0), scores.txt and sentences.txt (its words), line by line; lexicon.tsv, which every command reads as a dictionary; alignments.html to look at.

    Args:
        pairs: Sentence pairs: 'source ||| target', or source, TAB, target; or a TMX or XLIFF file.
        source: Sentences, one per line, instead of pairs.
        target: Their translations, line by line.
        dictionary: Known translations: a dictionary, or the lexicon.tsv of another corpus (statistical).
        encoder: Encoder. For span, a model that predicts spans (align-train span).
        vectors: Shared space (folder of map or interpolate), instead of an encoder.
        out: Folder for the result. None does not keep it.
        method: argmax: words that are most similar to each other. itermax: the same, repeated among the words that are left. match: the best one-to-one matching. softmax: words that are probable in both directions. span: the predicted span in the other sentence. statistical: learnt from the corpus alone. eflomal: the program of that name, if installed. If left out, itermax with encoder or vectors, else statistical.
        words: What is linked. words: Unicode words and punctuation. spaces: the text between spaces. characters: for languages without spaces. spacy: tokens of spaCy, if installed. If left out, spaces for 'source ||| target' and for text that is tokenised already, else words.
        source_words: As words, for the source alone. One of: words, spaces, characters, spacy.
        target_words: As words, for the target alone. One of: words, spaces, characters, spacy.
        threshold: Smallest score of a link. If left out, 0.45 for statistical, 0.4 for span, 0.001 for softmax, else 0. A statistical link of one direction alone scores up to 0.5; close languages do better without such links.
        symmetrise: How the directions of statistical and eflomal are combined. threshold: by their mean probability. All others combine the most probable links of each. If left out, threshold, for eflomal intersection. One of: threshold, intersection, union, grow-diag, grow-diag-final, grow-diag-final-and, forward, backward.
        lowercase: Ignore case in counts, vectors and the lexicon. Words are written as they are.
        source_language: BCP-47 code of the source words, for lowercase=True and multilingual TMX, XLIFF and TBX files.
        target_language: The same for the target words.
        layer: Layer of the encoder that vectors are taken from; negative from the end. If left out, 8, or the last.
        unit: What is compared. words: means of their subwords. subwords: a word is linked if any subword is.
        distortion: Share of the similarity that the most distant positions lose (argmax, itermax).
        model: fertility: an HMM with fertilities. diagonal: IBM model 2 by the distance from the diagonal, faster.
        chains: Sampling chains of each direction that are averaged.
        sweeps: Multiplies the usual number of sweeps of each chain.
        dictionary_weight: Links that a pair of dictionary counts as, times its probability if the file is a lexicon.
        max_words: Sentence pairs with a longer side get no links.
        min_count: Minimum number of links of a pair in the lexicon.
        min_probability: Minimum share of the links of its source word that a pair has.
        drawn: Number of sentence pairs in alignments.html.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def train(
    *,
    encoder: str | PathLike[str],
    out: str | PathLike[str],
    data: str | PathLike[str] | Sequence[str | PathLike[str]] | Mapping[str, str | PathLike[str]] | None = None,
    source: str | PathLike[str] | None = None,
    target: str | PathLike[str] | None = None,
    alignments: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    teacher: str | PathLike[str] | None = None,
    dev: str | PathLike[str] | Sequence[str | PathLike[str]] | Mapping[str, str | PathLike[str]] | float | None = None,
    epochs: int | None = None,
    batch_size: int = 128,
    learning_rate: float | None = None,
    weight_decay: float = 0.0,
    schedule: Literal['constant', 'linear'] = 'linear',
    warmup: float = 0.0,
    clip: float = 1.0,
    chunk_tokens: int = 32768,
    checkpoint_seconds: float = 60.0,
    steps: int | None = None,
    languages: str | Sequence[str] = (),
    limit: int | None = None,
    hard_negatives: Literal['drop', 'keep'] | None = None,
    missing_negatives: Literal['drop', 'keep', 'random'] | None = None,
    negatives_per_row: int | None = None,
    min_similarity: float | None = None,
    dev_share: float | None = None,
    source_language: str | None = None,
    target_language: str | None = None,
    objective: str | Sequence[str] = (),
    direction: Literal['both', 'forward'] | None = None,
    temperature: float | None = None,
    margin: float | None = None,
    hard_negative_weight: float | None = None,
    projection: Literal['none', 'train-only'] | None = None,
    mix: Literal['batches', 'rows'] | None = None,
    language_sampling: float | None = None,
    language_embedding: bool = False,
    min_score: float | None = None,
    word_temperature: float | None = None,
    masked_words: float | None = None,
    output_vocabulary: Literal['corpus', 'full'] | None = None,
    dev_metric: Literal['retrieval', 'sts'] | None = None,
    evaluate_every: int | None = None,
    freeze: Literal['embeddings', 'none'] = 'none',
    pooling: Literal['auto', 'cls', 'first-last', 'mean', 'model'] = 'auto',
    max_length: int | None = None,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Train a sentence encoder on parallel text, language inference or plain sentences.

    Makes: an encoder that SentenceTransformer(folder) loads, and training.jsonl with loss and learning rate per step.

    Args:
        data: Training data; several are mixed. parallel: sentences with translations, the best data if there are some thousand (text, TMX or XLIFF). nli: premise, hypothesis and label, or pairs with scores; English alone also brings the other languages of a multilingual encoder together. cross-lingual-nli: the same rows in several languages, in a folder with one file per language or in one file with a language column. unsupervised: one sentence per line, for a transformer, if there is nothing else. NAME is the language, or the two of parallel text: en-sw.
        source: Sentences of two line-aligned files, as one more parallel source.
        target: Translations of source, line by line.
        encoder: Encoder to start from: 'mini', a folder, or a hub name.
        alignments: Word links of a parallel source, for awp and wtr: a result of align, or a Pharaoh file. Once for each, in order; source and target count first.
        teacher: Encoder whose vectors of the source sentences are to be learned, for both sides.
        dev: Development data: parallel text, one file or several, with the languages as NAME; or sentence pairs with scores. A number such as 0.05 is the share of the parallel training rows to hold out. At most 10,000 pairs of a file are used.
        out: Folder for the result.
        epochs: Passes over the training data. By default 1, unless steps is given.
        batch_size: Pairs per step. The other pairs of a step are the in-batch negatives of each pair.
        learning_rate: Peak learning rate. By default 2e-5, and 1e-3 for static encoders.
        weight_decay: Weight decay of AdamW. Biases and normalisation layers have none.
        schedule: Learning rate after the warm-up. linear: falls to 0. constant: stays at the peak.
        warmup: Share of the steps in which the learning rate rises to its peak.
        clip: Maximum norm of the gradient. Use 0 for no clipping.
        chunk_tokens: Maximum number of tokens in one pass. A larger step is cached in chunks: the same negatives and the same gradient with less memory, more slowly. It changes only dropout.
        checkpoint_seconds: Time between checkpoints, in seconds.
        steps: Steps of training, instead of epochs.
        languages: Languages to use of nli and cross-lingual-nli data, e.g. en,sw. By default all.
        limit: Maximum number of rows of each source, drawn at random. By default all. Less memory is needed for all kinds but nli, whose files are read whole.
        hard_negatives: Hard negatives of nli data. keep: rows that have some use them. drop: no row has any, as mSimCSE does if a source without hard negatives is mixed in. By default keep.
        missing_negatives: An entailment whose premise has no contradiction. keep: it is trained without a hard negative. drop: it is left out. random: it gets a contradiction of another premise. By default keep for nli, and drop for cross-lingual-nli, as most of its rows have one.
        negatives_per_row: Maximum number of hard negatives of a row of nli data. A triplet has one. By default 1.
        min_similarity: For nli data with scores: lowest score at which two sentences are a positive pair. STS has 0 to 5. By default 4.
        dev_share: Share of the parallel rows to hold out as development data, at most 10,000 rows of two languages. They share no text with the training data.
        source_language: Language of the sentences of parallel data without a NAME, e.g. en.
        target_language: Language of their translations.
        objective: Objectives with weights, as in tr:0.8,awp:0.1,wtr:0.1. tr: rank the positive above the other sentences of the step. awp: predict a word from its masked translation. wtr: rank the translation of a word above the other words of its sentence. rtl: predict a translation from the states of a sentence. tlm: predict masked subwords of a sentence and its translation together. mlm: of a sentence alone. teacher: match the vectors of teacher. awp and wtr need alignments; they are sums over the words of a pair, and tens of times larger than tr. By default tr; with teacher, teacher alone.
        direction: forward: only positives are ranked for anchors, as in the papers. both: anchors are ranked for positives too. By default forward.
        temperature: Divides the cosines. Smaller values weigh hard negatives more. By default 0.05.
        margin: Additive margin: the cosine of a pair must exceed those of its negatives by it. By default 0.
        hard_negative_weight: Added to the logit of the own hard negatives of a pair, as in SimCSE. Larger values weigh them more. By default 0.
        projection: train-only: rank the outputs of a dense layer with tanh, which is not kept, as mSimCSE does. none: rank the vectors themselves. By default none.
        mix: rows: a step mixes the pairs of all data. batches: the pairs of a step are of one of them. By default rows.
        language_sampling: Exponent on the sizes of the data. 1: every pair once per epoch. Smaller values draw more pairs of small files, and 0 equally many of all. By default 1.
        language_embedding: Learn an embedding of the language of each text, which is added to its subwords. Files need languages: data en-sw=train.tsv. Use it afterwards with encode --language.
        min_score: Minimum score of a word link. By default 0.
        word_temperature: Divides the cosines of words in wtr. By default 0.05.
        masked_words: Share of the linked words that awp masks at a time, drawn anew in every step; the loss counts for all. Smaller values leave more context and take less time. By default 0.5. The paper masks one word at a time.
        output_vocabulary: Subwords among which masked ones are predicted. corpus: those that occur in the texts, which is faster. full: the whole vocabulary. By default corpus.
        dev_metric: retrieval: how often the nearest text of the other side is a translation, the mean of both directions and of all dev files. A text that occurs several times counts once, and each of its translations is right, unlike in eval retrieval, which counts lines. sts: Spearman correlation with scores. By default retrieval.
        evaluate_every: Number of steps between evaluations. By default the steps of an epoch.
        freeze: embeddings: do not train the vectors of subwords, which saves memory and leaves the subword vectors of other languages unchanged. A prediction head with subword vectors of its own is still trained. One of: none, embeddings.
        pooling: mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; auto: model if the encoder has modules, else mean. The papers use cls.
        max_length: Longest text in tokens, also of the trained encoder. Longer texts are truncated. The papers use 32.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def mine_bitext(
    *,
    encoder: str | PathLike[str],
    source: str | PathLike[str] | None = None,
    target: str | PathLike[str] | None = None,
    pairs: str | PathLike[str] | Sequence[tuple[str, str]] | None = None,
    planted: str | PathLike[str] | None = None,
    dev: str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
    mode: Literal['mine', 'score', 'search'] = 'mine',
    margin: Literal['absolute', 'distance', 'ratio'] = 'ratio',
    neighbours: int = 4,
    keep: Literal['backward', 'forward', 'intersection', 'max'] = 'max',
    threshold: float | None = None,
    top: int | None = None,
    planted_alone: float = 0.2,
    clean: bool = False,
    rules: Literal['copies', 'duplicates', 'language', 'lengths', 'numbers'] | Sequence[Literal['copies', 'duplicates', 'language', 'lengths', 'numbers']] = (),
    source_language: str | None = None,
    target_language: str | None = None,
    pooling: Literal['auto', 'cls', 'first-last', 'mean', 'model'] = 'auto',
    max_length: int | None = None,
    index: Literal['exact', 'hnsw', 'ivf'] = 'exact',
    storage: Literal['float16', 'float32'] = 'float32',
    token_budget: int = 1536,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Mine translations in two files, score the pairs of a corpus, or look up sentences in another file.

    Makes: pairs.tsv (score, source, target; the best first, of score in the order of the input, of search by source) and lines.tsv (their lines in the files); pairs.tmx; dropped.tsv. A sentence that is repeated takes part once, with its first line.

    Args:
        source: Sentences, one per line. With mode score, line by line with target.
        target: Sentences of the other language, one per line.
        pairs: With mode score, pairs instead of source and target: source, TAB, target; 'source ||| target'; TMX or XLIFF; or a result of mine-bitext.
        encoder: Encoder: 'mini', a folder, or a hub name.
        planted: Known pairs that are not in the files: source, TAB, target. They are mixed in, precision and recall are measured on them, and they are not written.
        dev: Known pairs of the files: source, TAB, target; or their line numbers. The threshold with the best F1 on them is used.
        out: Folder for the result. None does not keep it.
        mode: mine: find the translations in two files. score: score the pairs that exist already, in their order. search: look up every source sentence in the target file.
        margin: Score of a pair. ratio: its cosine divided by the mean cosine of both sentences to their nearest neighbours. distance: its cosine minus this mean. absolute: its cosine.
        neighbours: Neighbours of a sentence that the mean is taken of, the candidates of mine, and the answers of search.
        keep: Pairs of mine. max: the best pairs of either direction, every sentence at most once. intersection: sentences that are the best of each other. forward: the best target of every source. backward: the best source of every target.
        threshold: Minimum score of a pair. If left out, that of dev or planted, or else none, as in LASER. Published corpora used 1.04 to 1.06 with ratio and LASER; other encoders need other values.
        top: Number of pairs to keep, the best ones.
        planted_alone: Share of the pairs of planted of which only one side is mixed in. They have no translation, and show how often such sentences are paired.
        clean: Drop junk, and count it by reason. Examples are in dropped.tsv.
        rules: Rules of clean=True. duplicates: sentences, or pairs, that repeat another one except for case, punctuation, spaces and, of pairs, numbers. copies: pairs with more than half of their words in common, not only names. language: sentences in another script, or more like the other file. numbers: pairs with other numbers, outside of web addresses; one below 100 may be missing. lengths: one side is more than three times longer than usual. Default: all.
        source_language: BCP-47 code of the source, for pairs.tmx and for multilingual units.
        target_language: The same for the target.
        pooling: mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; auto: model if the encoder has modules, else mean.
        max_length: Longest sentence in tokens. Longer ones are truncated.
        index: exact: compare all sentences. ivf, hnsw: compare some of them, and measure the recall (an hnsw index built by several threads differs between runs). One of: exact, ivf, hnsw.
        storage: Numbers of the stored vectors. float16 takes half the space. One of: float32, float16.
        token_budget: Largest number of tokens in a forward pass.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def align_documents(
    *,
    source: str | PathLike[str],
    target: str | PathLike[str],
    encoder: str | PathLike[str],
    gold: str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
    most: int = 8,
    blocks: Literal['sum', 'text'] = 'sum',
    deletion: float = 0.33,
    band: int = 10,
    min_score: float | None = None,
    pooling: Literal['auto', 'cls', 'first-last', 'mean', 'model'] = 'auto',
    max_length: int | None = None,
    source_language: str | None = None,
    target_language: str | None = None,
    force: bool = False,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Align the sentences of two documents, or of two folders of documents, that are translations.

    Makes: aligned.tsv (source, target, score, and the lines of both as [0]:[0, 1], from 0), which train reads, and aligned.tmx; unaligned.tsv, the insertions and deletions; regions.tsv, parts of low quality, and documents.tsv, with lines counted from 1.

    Args:
        source: Document with one sentence per line, or a folder of documents. Blank lines are skipped.
        target: Its translation, or a folder of translations: doc1.de belongs to doc1.en.
        encoder: Encoder that knows both languages.
        gold: Gold links to score against, one per line as [0]:[0, 1], with lines counted from 0; or a folder of them.
        out: Folder for the result. None does not keep it.
        most: Largest number of sentences of a link, both sides together. With 8, links are 1:7, 4:4 or smaller.
        blocks: Vectors of several sentences. sum: the sum of their vectors. text: the vector of their joined text, for which every sentence is encoded many times: 28 times with most 8.
        deletion: Cost of a sentence without a partner. 0: half the cost of a typical link. 1: the cost of a random pair of sentences. With a larger one, fewer sentences have no partner.
        band: How far from a first, rough alignment partners are looked for, in sentences. Time grows with it. Documents with at most 65,536 pairs of sentences are searched completely.
        min_score: Lowest score of a link to write: 1 is equal vectors, 0 as similar as random sentences. By default all.
        pooling: mean: mean of the last layer over all tokens, including special ones; cls: the first token of the last layer; first-last: mean of the first and the last layer over all tokens; model: the modules of the encoder; auto: model if the encoder has modules, else mean.
        max_length: Longest text in tokens. Longer blocks are truncated.
        source_language: BCP-47 code of the source, for TMX and for encoders that were trained with languages.
        target_language: The same for the target.
        force: Replace another result in `out`.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def align_train_span(
    *,
    alignments: str | PathLike[str],
    encoder: str | PathLike[str],
    out: str | PathLike[str],
    pairs: str | PathLike[str] | Sequence[tuple[str, str]] | None = None,
    validation: str | PathLike[str] | None = None,
    validation_pairs: str | PathLike[str] | None = None,
    epochs: int = 1,
    batch_size: int = 32,
    learning_rate: float = 3e-05,
    weight_decay: float = 0.01,
    schedule: Literal['constant', 'linear'] = 'linear',
    warmup: float = 0.1,
    clip: float = 1.0,
    chunk_tokens: int = 16384,
    checkpoint_seconds: float = 60.0,
    one_based: bool = False,
    gold_one_based: bool = False,
    min_score: float = 0.0,
    words_per_sentence: int | None = None,
    threshold: float = 0.4,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Train an encoder to predict the translation of a marked word as a span of the other sentence.

    Makes: a model that AutoModelForQuestionAnswering loads, and training.jsonl with loss and learning rate per step.

    Args:
        pairs: Sentence pairs: 'source ||| target' or source, TAB, target. Links of a file are of the words between spaces. Not needed if alignments is a result of align, which contains the words.
        alignments: Links to learn from: a result of align, or a file (i-j, from 0), gold or not.
        encoder: Encoder to start from: a folder or a hub name.
        validation: Held-out links, a file or a result of align, for loss and error rate before and after training.
        validation_pairs: Sentence pairs of validation, as pairs.
        out: Folder for the result.
        epochs: Passes over the sentence pairs.
        batch_size: Words asked about per step.
        learning_rate: Peak learning rate. Small encoders learn little below 1e-4.
        weight_decay: Weight decay of AdamW. Biases and normalisation layers have none.
        schedule: Learning rate after the warm-up. linear: falls to 0. constant: stays at the peak.
        warmup: Share of the steps in which the learning rate rises to its peak.
        clip: Maximum norm of the gradient. Use 0 for no clipping.
        chunk_tokens: Maximum number of subwords in one pass. A larger step is split into chunks, which needs less memory and changes only dropout.
        checkpoint_seconds: Time between checkpoints, in seconds.
        one_based: The links of alignments count words from 1.
        gold_one_based: The links of validation count words from 1.
        min_score: Links with a lower score are not learned, nor are words that have no other links.
        words_per_sentence: Number of words asked about per sentence, drawn anew for each epoch. By default all words.
        threshold: Minimum score of a link in the error rate.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def align_train_softmax(
    *,
    encoder: str | PathLike[str],
    out: str | PathLike[str],
    pairs: str | PathLike[str] | Sequence[tuple[str, str]] | None = None,
    alignments: str | PathLike[str] | None = None,
    validation: str | PathLike[str] | None = None,
    validation_pairs: str | PathLike[str] | None = None,
    epochs: int = 1,
    batch_size: int = 8,
    learning_rate: float = 2e-05,
    weight_decay: float = 0.01,
    schedule: Literal['constant', 'linear'] = 'linear',
    warmup: float = 0.1,
    clip: float = 1.0,
    chunk_tokens: int = 16384,
    checkpoint_seconds: float = 60.0,
    one_based: bool = False,
    gold_one_based: bool = False,
    objectives: Literal['co', 'so', 'supervised', 'tlm'] | Sequence[Literal['co', 'so', 'supervised', 'tlm']] = ('so', 'tlm'),
    layer: int | None = None,
    min_score: float = 0.0,
    force: bool = False,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal['bfloat16', 'float16', 'float32'] | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Fine-tune an encoder on parallel sentences so that its token states align words.

    Makes: an encoder that SentenceTransformer(folder) and AutoModel load, and training.jsonl with loss and learning rate per step.

    Args:
        pairs: Sentence pairs: 'source ||| target' or source, TAB, target. Links of a file are of the words between spaces. Not needed if alignments is a result of align, which contains the words.
        alignments: Links to learn from, for supervised. Its sentence pairs are used by all objectives.
        encoder: Encoder to start from: a folder or a hub name.
        validation: Held-out links, a file or a result of align, for loss and error rate before and after training.
        validation_pairs: Sentence pairs of validation, as pairs.
        out: Folder for the result.
        epochs: Passes over the sentence pairs.
        batch_size: Sentence pairs per step.
        learning_rate: Peak learning rate. Small encoders need a larger one.
        weight_decay: Weight decay of AdamW. Biases and normalisation layers have none.
        schedule: Learning rate after the warm-up. linear: falls to 0. constant: stays at the peak.
        warmup: Share of the steps in which the learning rate rises to its peak.
        clip: Maximum norm of the gradient. Use 0 for no clipping.
        chunk_tokens: Maximum number of subwords in one pass. A larger step is split into chunks, which needs less memory and changes only dropout.
        checkpoint_seconds: Time between checkpoints, in seconds.
        one_based: The links of alignments count words from 1.
        gold_one_based: The links of validation count words from 1.
        objectives: so: make the links probable that the encoder finds itself. co: make both directions agree. tlm: predict masked subwords of sentence and translation together. supervised: make the links of alignments probable.
        layer: Layer whose states are compared, negative from the end. By default 8, or the last.
        min_score: With supervised: links with a lower score are not learned.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        device: auto, cpu, cuda, cuda:N or mps; None: LEXENC_DEVICE, else auto.
        precision: Arithmetic of encoders; None: LEXENC_PRECISION, else float32.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def eval_alignment(
    *,
    gold: str | PathLike[str],
    predicted: str | PathLike[str],
    pairs: str | PathLike[str] | Sequence[tuple[str, str]] | None = None,
    source: str | PathLike[str] | None = None,
    target: str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
    draws: int = 10000,
    level: float = 0.95,
    gold_one_based: bool | None = None,
    system_one_based: bool | None = None,
    force: bool = False,
    seed: int | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Score word alignments: precision, recall, F1 and alignment error rate.

    Makes: scores.json, and items.jsonl with the links of every sentence pair, for lexenc compare and results.

    Args:
        gold: Gold links, one line per sentence pair: 0-0 for a sure link, 1p2 for a possible one.
        predicted: Links to score: a file of 0-0 1-2 lines, or a folder of align.
        pairs: Their sentences, words between spaces: source ||| target, or source, TAB, target. With them come controls and scores by kind of link.
        source: Source sentences in a file of their own, in place of pairs.
        target: Target sentences, line by line.
        out: Folder for the result. None does not keep it.
        draws: Number of bootstrap resamplings of the test set.
        level: Level of the confidence intervals.
        gold_one_based: Whether words are counted from 1 in the gold file. If left out they are counted from 0, and refused where the two files do not look alike.
        system_one_based: Whether words are counted from 1 in the links that are scored. If left out they are counted from 0, and refused where the two files do not look alike.
        force: Replace another result in `out`.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def read_review(
    review: str | PathLike[str],
    *,
    senses: str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
    force: bool = False,
    progress: bool | Progress = False,
) -> Result:
    """Turn a reviewed table of induce into a dictionary, or one of senses into senses.

    Makes: reviewed.tsv (accepted pairs) and rejected.tsv (rejected pairs). From a review of senses: the senses that are left, in the files of lexenc senses.

    Args:
        review: Table with the columns source, target, decision (ok, wrong, other) and correction (several separated by semicolons: der; die; das). Or, of senses: sense, name, and decision (keep, drop, or the sense to merge with). Columns are separated by commas, semicolons or TABs, as spreadsheets do.
        senses: For a review of senses: the result of lexenc senses that it belongs to.
        out: Folder for the result. None does not keep it.
        force: Replace another result in `out`.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def export(
    vectors: str | PathLike[str],
    *,
    out: str | PathLike[str],
    format: Literal['glove', 'vec', 'word2vec'] = 'vec',
    phrases: Literal['drop', 'keep', 'underscore'] = 'underscore',
    force: bool = False,
    progress: bool | Progress = False,
) -> Result:
    """Write vectors to files that VecMap, MUSE and gensim read.

    Makes: source.vec and target.vec, or vectors.vec (.bin for word2vec, .txt for glove).

    Args:
        vectors: Result of map, interpolate, encode or train-static, or any vector file.
        out: Folder for the result.
        format: vec: fastText text with a header (VecMap, MUSE, gensim); word2vec: binary; glove: text without a header.
        phrases: How to write words with spaces, which many programs cannot read: underscore: as new_york; keep: unchanged, for lexenc only; drop: not at all.
        force: Replace another result in `out`.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def compare(
    first: str | PathLike[str],
    second: str | PathLike[str],
    *,
    draws: int = 10000,
    level: float = 0.95,
    metric: str | None = None,
    questions: Literal['all', 'covered'] = 'covered',
    first_system: str | None = None,
    second_system: str | None = None,
    seed: int | None = None,
    progress: bool | Progress = False,
) -> Result:
    """Compare two evaluations of the same questions by paired bootstrap.

    Args:
        first: Folder that an eval command wrote with out.
        second: Folder of the other evaluation.
        draws: Number of bootstrap resamplings of the test set.
        level: Level of the confidence intervals.
        metric: JSON key of the metric to compare, e.g. precision_at_5. If left out, those that stand for the task.
        questions: covered: items that both evaluations cover; all: items that are not covered count as wrong too.
        first_system: System of the first evaluation, where it holds several: label=value, e.g. lambda=0.3.
        second_system: System of the second evaluation, where it holds several: label=value, e.g. lambda=0.3.
        seed: Seed of all random choices; None: LEXENC_SEED, else 0.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """

def audit(
    *,
    test: str | PathLike[str] | Sequence[tuple[str, str]],
    train: str | PathLike[str] | Sequence[tuple[str, str]] | None = None,
    train_target: str | PathLike[str] | None = None,
    test_target: str | PathLike[str] | None = None,
    encoder: str | PathLike[str] | None = None,
    source_vectors: str | PathLike[str] | None = None,
    target_vectors: str | PathLike[str] | None = None,
    out: str | PathLike[str] | None = None,
    lowercase: bool = False,
    unicode: Literal['keep', 'nfc', 'nfkc'] = 'keep',
    source_language: str | None = None,
    target_language: str | None = None,
    sentences: bool = False,
    drop_sources: bool = False,
    fail_on_leak: bool = False,
    force: bool = False,
    progress: bool | Progress = False,
) -> Result:
    """Check training and test dictionaries for leaks, repeats and words without vectors.

    Makes: train.tsv without the leaked pairs, and leaks.tsv. Without --out nothing is written, and the exit code is 1 if there are leaks.

    Args:
        train: Training dictionary: source, TAB, target; or training text.
        test: Test dictionary, a result of cross-pairs, or test sentences.
        train_target: Translations of train, line by line, for sentences in two files.
        test_target: Translations of test, line by line, for sentences in two files.
        encoder: Encoder, instead of train: the data that it was trained on, as its manifests name it.
        source_vectors: Vectors or word list of the source language, to count words without vectors.
        target_vectors: The same for the target language.
        out: Folder for the result. None does not keep it.
        lowercase: Lower-case all words. Of words that become equal, the first one is kept.
        unicode: Unicode normal form of all words. nfc: a letter and its accents are one character; nfkc: full-width letters and ligatures are plain letters as well; keep: as they are.
        source_language: BCP-47 code of the source words, for lowercase=True and multilingual TMX, XLIFF and TBX files.
        target_language: The same for the target words.
        sentences: Compare sentences: parallel text in one file (TAB, |||, TMX or XLIFF) or, with train_target and test_target, in two; or one sentence per line. Only letters and digits count, in any case, since a file may be tokenised.
        drop_sources: Also drop training pairs whose source word or sentence is tested from train.tsv.
        fail_on_leak: Exit with 1 if a test pair is in the training data, in either order of its sides. Without out, where nothing is cleaned, and with encoder this is always so.
        force: Replace another result in `out`.
        progress: True shows progress bars; or an object with a `task` method.

    Returns:
        The result. An existing result is reused.

    Raises:
        LexencError: If inputs or arguments cannot be used, or the work cannot be done.
    """
