# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_gliclass_global_optspecs
    string join \n h/help V/version
end

function __fish_gliclass_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_gliclass_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_gliclass_using_subcommand
    set -l cmd (__fish_gliclass_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c gliclass -n "__fish_gliclass_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gliclass -n "__fish_gliclass_needs_command" -s V -l version -d 'Print version'
complete -c gliclass -n "__fish_gliclass_needs_command" -f -a "classify" -d 'Classify texts from the command line or standard input'
complete -c gliclass -n "__fish_gliclass_needs_command" -f -a "batch" -d 'Add labels to every record of a file or stream: JSONL, CSV, TSV or Parquet'
complete -c gliclass -n "__fish_gliclass_needs_command" -f -a "eval" -d 'Judge labels on labelled records, and fit thresholds'
complete -c gliclass -n "__fish_gliclass_needs_command" -f -a "train" -d 'Fine-tune a model on labelled records'
complete -c gliclass -n "__fish_gliclass_needs_command" -f -a "embed" -d 'Write the vectors of texts and labels that the model compares, as JSONL'
complete -c gliclass -n "__fish_gliclass_needs_command" -f -a "bench" -d 'Measure how fast a model runs on this machine, and where its time goes'
complete -c gliclass -n "__fish_gliclass_needs_command" -f -a "download" -d 'Fetch a model from the Hugging Face Hub and print its folder'
complete -c gliclass -n "__fish_gliclass_needs_command" -f -a "completions" -d 'Print a completion script for your shell'
complete -c gliclass -n "__fish_gliclass_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l format -d 'The format of the results [default: a table on a terminal, else jsonl]' -r -f -a "json\t'One JSON array'
jsonl\t'One JSON object per line'
csv\t'Comma-separated, with a header'
tsv\t'Tab-separated, with a header'
text\t'One line per text: label, tab, score, tab, label ...'"
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -s l -l labels -d 'Candidate labels, comma-separated; may be given several times' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l labels-file -d 'Candidate labels from a file: one per line, or JSON' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l label-separator -d 'Separates the levels of a hierarchy of labels' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l prompt -d 'The task in words, such as "Classify the mood"' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l examples -d 'Examples to show the model with every text' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l rac-examples -d 'Solved cases, for models trained to see them beside the text' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l rac-retrieve -d 'Show only the K solved cases nearest to each text [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -s t -l threshold -d 'The lowest score at which a label applies, from 0 to 1 [default: 0.5]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l thresholds -d 'Thresholds and temperature from a file written by `eval --fit`' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l abstain-below -d 'No label for a text whose best score is below F, from 0 to 1' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -s k -l top-k -d 'At most N labels per text, the best ones' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -s m -l model -d 'The model: `builtin`, a folder, or a repository of the Hub' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l revision -d 'Branch, tag or commit of a Hub repository [default: main]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l device -d 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -s j -l threads -d 'Number of processor threads [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l max-length -d 'Most tokens that a text and its labels may have together' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l dtype -d 'Number format of the computation' -r -f -a "auto\t'The fastest one that loses no accuracy'
f32\t'32 bits'
bf16\t'16-bit products, 32-bit sums: faster, less exact'
f16\t'float16 if the device has it: less exact'
int8\t'8-bit products if the processor is fastest that way, else as bf16: the least exact'"
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l on-overflow -d 'What happens to a text that is too long' -r -f -a "truncate\t'Its end is cut off'
chunk\t'It is read in pieces, and each label gets its best score of all pieces'
error\t'The record is an error'"
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l chunk-overlap -d 'With --on-overflow chunk: tokens shared by two pieces [default: 64]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l labels-chunk-size -d 'Read at most N labels at once [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l wordings -d 'Read lists in --labels-file as wordings of one label'
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l single-label -d 'Exactly one label per text'
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l all-scores -d 'Every label with its score, whatever the threshold'
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l logits -d 'Add `logit`, the score before sigmoid or softmax, to each prediction'
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l hierarchical -d 'Write predictions in the shape of the labels, every leaf a score'
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l offline -d 'Do not use the network: what is not in the cache is an error'
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -s q -l quiet -d 'Print only errors: no progress, no summary, no hints'
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -s v -l verbose -d 'Print more: what was loaded, how large it is, how it runs'
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -s V -l version -d 'Print version'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -s o -l output -d 'The output file [default: standard output]' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l input-format -d 'The format of input and output [default: by the input\'s ending, else jsonl]' -r -f -a "jsonl\t'One JSON object per line'
csv\t'Comma-separated, with a header'
tsv\t'Tab-separated, with a header'
parquet\t'Columns, in row groups'"
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l text-field -d 'The field or column with the text' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l output-field -d 'The field that receives the predictions (JSONL only)' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l list-separator -d 'Separates several labels or scores in a CSV or TSV cell' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l on-error -d 'What happens to a record that cannot be classified' -r -f -a "keep\t'Written back with a field `error`; the exit status is 1 at the end'
skip\t'Left out, with a line on standard error; the exit status is 1 at the end'
fail\t'The run ends there; all records before it are written, in Parquet all row groups before its own'"
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l shard -d 'Only shard I of N, from 0; or `auto` in a job of Slurm or Kubernetes' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -s l -l labels -d 'Candidate labels, comma-separated; may be given several times' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l labels-file -d 'Candidate labels from a file: one per line, or JSON' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l label-separator -d 'Separates the levels of a hierarchy of labels' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l prompt -d 'The task in words, such as "Classify the mood"' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l examples -d 'Examples to show the model with every text' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l rac-examples -d 'Solved cases, for models trained to see them beside the text' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l rac-retrieve -d 'Show only the K solved cases nearest to each text [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -s t -l threshold -d 'The lowest score at which a label applies, from 0 to 1 [default: 0.5]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l thresholds -d 'Thresholds and temperature from a file written by `eval --fit`' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l abstain-below -d 'No label for a text whose best score is below F, from 0 to 1' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -s k -l top-k -d 'At most N labels per text, the best ones' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -s m -l model -d 'The model: `builtin`, a folder, or a repository of the Hub' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l revision -d 'Branch, tag or commit of a Hub repository [default: main]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l device -d 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -s j -l threads -d 'Number of processor threads [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l max-length -d 'Most tokens that a text and its labels may have together' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l dtype -d 'Number format of the computation' -r -f -a "auto\t'The fastest one that loses no accuracy'
f32\t'32 bits'
bf16\t'16-bit products, 32-bit sums: faster, less exact'
f16\t'float16 if the device has it: less exact'
int8\t'8-bit products if the processor is fastest that way, else as bf16: the least exact'"
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l on-overflow -d 'What happens to a text that is too long' -r -f -a "truncate\t'Its end is cut off'
chunk\t'It is read in pieces, and each label gets its best score of all pieces'
error\t'The record is an error'"
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l chunk-overlap -d 'With --on-overflow chunk: tokens shared by two pieces [default: 64]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l labels-chunk-size -d 'Read at most N labels at once [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l resume -d 'Continue a run that was stopped, or start one that can be continued'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l force -d 'Overwrite an existing output'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l wordings -d 'Read lists in --labels-file as wordings of one label'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l single-label -d 'Exactly one label per text'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l all-scores -d 'Every label with its score, whatever the threshold'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l logits -d 'Add `logit`, the score before sigmoid or softmax, to each prediction'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l hierarchical -d 'Write predictions in the shape of the labels, every leaf a score'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l offline -d 'Do not use the network: what is not in the cache is an error'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -s q -l quiet -d 'Print only errors: no progress, no summary, no hints'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -s v -l verbose -d 'Print more: what was loaded, how large it is, how it runs'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -s V -l version -d 'Print version'
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l text-field -d 'The field or column with the text' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l label-field -d 'The field or column with the true labels [default: true_labels, or label]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l list-separator -d 'Separates several labels in a CSV or TSV cell' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l predictions-from -d 'Judge outputs of `batch` or of --predictions, without a model' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l compare -d 'Compare with these predictions of the same records' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l output-field -d 'The field with the predictions in these files' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -s l -l labels -d 'Candidate labels, comma-separated; may be given several times' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l labels-file -d 'Candidate labels from a file: one per line, or JSON' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l label-separator -d 'Separates the levels of a hierarchy of labels' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l prompt -d 'The task in words, such as "Classify the mood"' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l examples -d 'Examples to show the model with every text' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l rac-examples -d 'Solved cases, for models trained to see them beside the text' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l rac-retrieve -d 'Show only the K solved cases nearest to each text [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -s t -l threshold -d 'The lowest score at which a label applies, from 0 to 1 [default: 0.5]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l thresholds -d 'Thresholds and temperature from a file written by `eval --fit`' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l abstain-below -d 'No label for a text whose best score is below F, from 0 to 1' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -s k -l top-k -d 'At most N labels per text, the best ones' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l report -d 'The layout of the figures' -r -f -a "text\t'A table as scikit-learn prints it, and what else was found'
json\t'One JSON object, with all digits'
markdown\t'Markdown tables: a row per label and average, and what else was asked for; no main figures'
csv\t'One table: a row per label, average and main figure, with all digits'"
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l predictions -d 'Write every record with its predictions to a file, as JSON lines' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l errors -d 'Show the N most confident errors per label' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l plots -d 'Write the plots to a folder, as SVG' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l html -d 'Write a page for a browser, with figures, plots and errors' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l bootstrap -d 'Bootstrap samples for the 95 % intervals, at least 100; 0 for none' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l seed -d 'Seed of random numbers: the same one gives the same figures' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l label-order-trials -d 'Classify again N times with shuffled labels, and count what changes' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l fit -d 'Fit thresholds and a temperature, and write them for --thresholds' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l fit-for -d 'What to fit for: f1, f0.5, f2 or another F-measure, precision=0.9 or recall=0.9' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l min-accuracy -d 'Lowest accuracy; with several labels per record, lowest subset accuracy' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l min-micro-f1 -d 'Lowest micro-averaged F1' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l min-macro-f1 -d 'Lowest macro-averaged F1' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l min-weighted-f1 -d 'Lowest F1 averaged by support' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -s m -l model -d 'The model: `builtin`, a folder, or a repository of the Hub' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l revision -d 'Branch, tag or commit of a Hub repository [default: main]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l device -d 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -s j -l threads -d 'Number of processor threads [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l max-length -d 'Most tokens that a text and its labels may have together' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l dtype -d 'Number format of the computation' -r -f -a "auto\t'The fastest one that loses no accuracy'
f32\t'32 bits'
bf16\t'16-bit products, 32-bit sums: faster, less exact'
f16\t'float16 if the device has it: less exact'
int8\t'8-bit products if the processor is fastest that way, else as bf16: the least exact'"
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l on-overflow -d 'What happens to a text that is too long' -r -f -a "truncate\t'Its end is cut off'
chunk\t'It is read in pieces, and each label gets its best score of all pieces'
error\t'The record is an error'"
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l chunk-overlap -d 'With --on-overflow chunk: tokens shared by two pieces [default: 64]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l labels-chunk-size -d 'Read at most N labels at once [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l wordings -d 'Read lists in --labels-file as wordings of one label'
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l single-label -d 'Exactly one label per text'
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l all-scores -d 'Every label with its score, whatever the threshold'
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l logits -d 'Add `logit`, the score before sigmoid or softmax, to each prediction'
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l hierarchical -d 'Write predictions in the shape of the labels, every leaf a score'
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l offline -d 'Do not use the network: what is not in the cache is an error'
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -s q -l quiet -d 'Print only errors: no progress, no summary, no hints'
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -s v -l verbose -d 'Print more: what was loaded, how large it is, how it runs'
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -s V -l version -d 'Print version'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -s o -l output -d 'The folder for the trained model' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l text-field -d 'The field or column with the text' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l label-field -d 'The field or column with the true labels [default: true_labels, or label]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l list-separator -d 'Separates several labels in a CSV or TSV cell' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l eval -d 'Judge each epoch on the records of this file' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l eval-share -d 'Judge each epoch on this share of the records; 0 for none' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -s l -l labels -d 'Candidate labels, comma-separated; may be given several times' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l labels-file -d 'Candidate labels from a file: one per line, or JSON' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l label-separator -d 'Separates the levels of a hierarchy of labels' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l prompt -d 'The task in words; the model reads it before the text' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l epochs -d 'How many times every record is seen' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l batch-size -d 'Records per batch' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l gradient-accumulation -d 'Batches per step: like one large batch, in the memory of a small one' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l learning-rate -d 'Peak learning rate of the encoder' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l head-learning-rate -d 'Peak learning rate of the head, which is all above the encoder' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l weight-decay -d 'Weight decay of the encoder, times the learning rate' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l head-weight-decay -d 'Weight decay of the head, times the learning rate' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l schedule -d 'How the learning rates fall after the warm-up' -r -f -a "linear\t'Falls evenly to 0'
cosine\t'Falls along half a wave of the cosine to 0'
constant\t'Does not fall'"
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l warmup -d 'The share of the steps over which the learning rates rise from 0' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l clip -d 'The highest norm of a step\'s gradients; 0 for no limit' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l patience -d 'Stop after N epochs without better figures of the held-out records' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l seed -d 'Seed of random numbers: the same one gives the same model' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l focal-alpha -d 'The weight of true labels in the loss, from 0 to 1 [default: no weights]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l focal-gamma -d 'How much less a label counts the better the model knows it' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l label-smoothing -d 'How far targets are moved towards an even split, from 0 to 1' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l contrastive -d 'Weight of the contrastive term, which pushes the labels of a record apart' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l train-layers -d 'Train only the head and the encoder\'s last N layers' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l lora -d 'Train low-rank matrices (LoRA) of this rank beside the encoder\'s' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l label-removal -d 'Probability that some labels are left out' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l label-addition -d 'Probability that labels of other records are added' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l text-addition -d 'Probability that the text of another record is added' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l synonyms -d 'Probability that labels are called by their synonyms' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l description -d 'Probability that descriptions of labels are shown beside the text' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l shown-examples -d 'Probability that solved cases are shown beside the text' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l descriptions -d 'Synonyms and descriptions of labels' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l max-labels -d 'Read at most N labels of a record at once' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l backbone -d 'Start from a plain encoder with a new head, instead of --model' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l label-backbone -d 'The encoder of a bi-encoder\'s labels [default: another copy of the backbone]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l architecture -d 'How labels and text are read' -r -f -a "uni-encoder\t'Labels and text in one sequence'
bi-encoder\t'Text and labels through an encoder each'"
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l pooling -d 'How the vectors of the text\'s tokens become one' -r -f -a "max\t'Largest value of each column'
first\t'The first row'
last\t'The last row'
avg\t'Mean of each column'
sum\t'Sum of each column'
rms\t'Root of the mean square of each column'
abs_max\t'Largest absolute value of each column'
abs_avg\t'Mean absolute value of each column'
pass\t'All rows, for a scorer that attends to them'"
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l label-pooling -d 'How the vectors of a label\'s tokens become one in a uni-encoder' -r -f -a "first\t'The row at `<<LABEL>>`, or the one after it'
average\t'Mean over the label\'s span'"
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l scorer -d 'What compares text and labels' -r -f -a "simple\t'Dot product'
weighted-dot\t'Two projections, their product and an MLP'
mlp\t'An MLP over both rows'
hopfield\t'Labels attend to the text, softmax over the labels, then an MLP'
cross-attn\t'Labels attend to all text tokens, then an MLP'"
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -s m -l model -d 'The model: `builtin`, a folder, or a repository of the Hub' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l revision -d 'Branch, tag or commit of a Hub repository [default: main]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l device -d 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -s j -l threads -d 'Number of processor threads [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l max-length -d 'Most tokens that a text and its labels may have together' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l resume -d 'Continue where a training with the same command stopped'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l force -d 'Start again in a folder that `train` made, and overwrite its model'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l strict -d 'Stop before the first step if anything is wrong with the data'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l single-label -d 'Exactly one label is true per record'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l sum-loss -d 'Sum the loss over all labels instead of taking the mean'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l freeze-encoder -d 'Train only the head'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l no-dropout -d 'Train without the dropout that the config names'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l augment -d 'Change records at random each time they are seen'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l keep-label-order -d 'Keep the labels in their order instead of shuffling them each time'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l normalize-features -d 'Compare vectors of unit length'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l text-first -d 'Put the text before the labels in a uni-encoder'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l offline -d 'Do not use the network: what is not in the cache is an error'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -s q -l quiet -d 'Print only errors: no progress, no summary, no hints'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -s v -l verbose -d 'Print more: what was loaded, how large it is, how it runs'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -s V -l version -d 'Print version'
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -s o -l output -d 'The output file [default: standard output]' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l text-field -d 'The field with the text' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -s l -l labels -d 'Candidate labels, comma-separated; may be given several times' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l labels-file -d 'Candidate labels from a file: one per line, or JSON' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l label-separator -d 'Separates the levels of a hierarchy of labels' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l prompt -d 'The task in words, such as "Classify the mood"' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l examples -d 'Examples to show the model with every text' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l rac-examples -d 'Solved cases, for models trained to see them beside the text' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l rac-retrieve -d 'Show only the K solved cases nearest to each text [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -s m -l model -d 'The model: `builtin`, a folder, or a repository of the Hub' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l revision -d 'Branch, tag or commit of a Hub repository [default: main]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l device -d 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -s j -l threads -d 'Number of processor threads [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l max-length -d 'Most tokens that a text and its labels may have together' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l dtype -d 'Number format of the computation' -r -f -a "auto\t'The fastest one that loses no accuracy'
f32\t'32 bits'
bf16\t'16-bit products, 32-bit sums: faster, less exact'
f16\t'float16 if the device has it: less exact'
int8\t'8-bit products if the processor is fastest that way, else as bf16: the least exact'"
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l on-overflow -d 'What happens to a text that is too long' -r -f -a "truncate\t'Its end is cut off'
error\t'The record is an error'"
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l chunk-overlap -d 'With --on-overflow chunk: tokens shared by two pieces [default: 64]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l labels-chunk-size -d 'Read at most N labels at once [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l force -d 'Overwrite an existing output'
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l wordings -d 'Read lists in --labels-file as wordings of one label'
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l offline -d 'Do not use the network: what is not in the cache is an error'
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -s q -l quiet -d 'Print only errors: no progress, no summary, no hints'
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -s v -l verbose -d 'Print more: what was loaded, how large it is, how it runs'
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -s V -l version -d 'Print version'
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -s n -l texts -d 'Number of texts; if there are fewer, they are repeated' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -l labels-count -d 'Number of labels of each text' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -l input -d 'Take the texts from a JSONL file [default: built-in texts]' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -l text-field -d 'The field with the text' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -l format -d 'The format of the figures' -r -f -a "text\t'A table'
json\t'A JSON object; times in seconds'"
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -s m -l model -d 'The model: `builtin`, a folder, or a repository of the Hub' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -l revision -d 'Branch, tag or commit of a Hub repository [default: main]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -l device -d 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -s j -l threads -d 'Number of processor threads [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -l max-length -d 'Most tokens that a text and its labels may have together' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -l dtype -d 'Number format of the computation' -r -f -a "auto\t'The fastest one that loses no accuracy'
f32\t'32 bits'
bf16\t'16-bit products, 32-bit sums: faster, less exact'
f16\t'float16 if the device has it: less exact'
int8\t'8-bit products if the processor is fastest that way, else as bf16: the least exact'"
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -l on-overflow -d 'What happens to a text that is too long' -r -f -a "truncate\t'Its end is cut off'
chunk\t'It is read in pieces, and each label gets its best score of all pieces'
error\t'The record is an error'"
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -l chunk-overlap -d 'With --on-overflow chunk: tokens shared by two pieces [default: 64]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -l labels-chunk-size -d 'Read at most N labels at once [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -l offline -d 'Do not use the network: what is not in the cache is an error'
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -s q -l quiet -d 'Print only errors: no progress, no summary, no hints'
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -s v -l verbose -d 'Print more: what was loaded, how large it is, how it runs'
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -s V -l version -d 'Print version'
complete -c gliclass -n "__fish_gliclass_using_subcommand download" -l revision -d 'Branch, tag or commit [default: main]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand download" -l offline -d 'Do not use the network: what is not in the cache is an error'
complete -c gliclass -n "__fish_gliclass_using_subcommand download" -s q -l quiet -d 'Print only errors: no progress, no summary, no hints'
complete -c gliclass -n "__fish_gliclass_using_subcommand download" -s v -l verbose -d 'Print more: what was loaded, how large it is, how it runs'
complete -c gliclass -n "__fish_gliclass_using_subcommand download" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gliclass -n "__fish_gliclass_using_subcommand download" -s V -l version -d 'Print version'
complete -c gliclass -n "__fish_gliclass_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gliclass -n "__fish_gliclass_using_subcommand completions" -s V -l version -d 'Print version'
complete -c gliclass -n "__fish_gliclass_using_subcommand help; and not __fish_seen_subcommand_from classify batch eval train embed bench download completions help" -f -a "classify" -d 'Classify texts from the command line or standard input'
complete -c gliclass -n "__fish_gliclass_using_subcommand help; and not __fish_seen_subcommand_from classify batch eval train embed bench download completions help" -f -a "batch" -d 'Add labels to every record of a file or stream: JSONL, CSV, TSV or Parquet'
complete -c gliclass -n "__fish_gliclass_using_subcommand help; and not __fish_seen_subcommand_from classify batch eval train embed bench download completions help" -f -a "eval" -d 'Judge labels on labelled records, and fit thresholds'
complete -c gliclass -n "__fish_gliclass_using_subcommand help; and not __fish_seen_subcommand_from classify batch eval train embed bench download completions help" -f -a "train" -d 'Fine-tune a model on labelled records'
complete -c gliclass -n "__fish_gliclass_using_subcommand help; and not __fish_seen_subcommand_from classify batch eval train embed bench download completions help" -f -a "embed" -d 'Write the vectors of texts and labels that the model compares, as JSONL'
complete -c gliclass -n "__fish_gliclass_using_subcommand help; and not __fish_seen_subcommand_from classify batch eval train embed bench download completions help" -f -a "bench" -d 'Measure how fast a model runs on this machine, and where its time goes'
complete -c gliclass -n "__fish_gliclass_using_subcommand help; and not __fish_seen_subcommand_from classify batch eval train embed bench download completions help" -f -a "download" -d 'Fetch a model from the Hugging Face Hub and print its folder'
complete -c gliclass -n "__fish_gliclass_using_subcommand help; and not __fish_seen_subcommand_from classify batch eval train embed bench download completions help" -f -a "completions" -d 'Print a completion script for your shell'
complete -c gliclass -n "__fish_gliclass_using_subcommand help; and not __fish_seen_subcommand_from classify batch eval train embed bench download completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
