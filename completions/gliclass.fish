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
complete -c gliclass -n "__fish_gliclass_needs_command" -f -a "classify" -d 'Classify the texts given, or one text a line from standard input'
complete -c gliclass -n "__fish_gliclass_needs_command" -f -a "batch" -d 'Stream JSONL, CSV, TSV or Parquet and write every record back with its labels'
complete -c gliclass -n "__fish_gliclass_needs_command" -f -a "eval" -d 'Judge labels on labelled records: how good, how sure, which threshold, what goes wrong'
complete -c gliclass -n "__fish_gliclass_needs_command" -f -a "train" -d 'Fine-tune a model on labelled records'
complete -c gliclass -n "__fish_gliclass_needs_command" -f -a "embed" -d 'Write the vectors of texts and labels that the model compares, as JSONL'
complete -c gliclass -n "__fish_gliclass_needs_command" -f -a "bench" -d 'Measure how fast a model runs on this machine, and where its time goes'
complete -c gliclass -n "__fish_gliclass_needs_command" -f -a "download" -d 'Fetch a checkpoint into the Hugging Face cache and print its folder'
complete -c gliclass -n "__fish_gliclass_needs_command" -f -a "completions" -d 'Print the completion script of a shell'
complete -c gliclass -n "__fish_gliclass_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l format -d 'How the results are written [default: a table on a terminal, else jsonl]' -r -f -a "json\t'One JSON array'
jsonl\t'One JSON object a line'
csv\t'Comma-separated, with a header'
tsv\t'Tab-separated, with a header'
text\t'One line a text: label, tab, score, tab, label ...'"
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -s l -l labels -d 'Candidate labels, comma-separated; may be given several times' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l labels-file -d 'Candidate labels from a file: one a line, or JSON' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l label-separator -d 'Joins the levels of a hierarchy of labels' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l prompt -d 'What the task is, in words; the model reads it before the text' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l examples -d 'Few-shot examples: a JSON array or JSONL of {"text": "...", "labels": ["..."]}' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l rac-examples -d 'Retrieved examples: a JSON array or JSONL of {"text", "all_labels", "true_labels"}' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l rac-retrieve -d 'Of the retrieved examples, write only the K nearest ones into each text [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -s t -l threshold -d 'The least score of a label that holds, from 0 to 1; unused with --single-label [default: 0.5]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l thresholds -d 'Thresholds and temperature from a file of `eval --fit`; without --single-label, a label that is not in it is an error' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l abstain-below -d 'No label for a text whose best score is lower, from 0 to 1' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -s k -l top-k -d 'At most N labels for a text, the best ones' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -s m -l model -d 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l revision -d 'Branch, tag or commit of a Hub repository [default: main]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l device -d 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -s j -l threads -d 'Processor threads [default: all there are]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l max-length -d 'Tokens a text may have with its labels; a longer text is cut, labels never are' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l dtype -d 'The arithmetic of the encoder' -r -f -a "auto\t'The fastest that keeps the reference\'s scores'
f32\t'32 bits'
bf16\t'16-bit products, 32-bit sums: faster, less exact'
f16\t'float16 where the device has it: less exact'
int8\t'8-bit products where the processor is fastest that way, else as bf16: the least exact'"
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l on-overflow -d 'What becomes of a text that does not fit' -r -f -a "truncate\t'Its end is left out'
chunk\t'It is read in pieces; a label\'s score is the best of all pieces'
error\t'It is an error of the record'"
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l chunk-overlap -d 'With --on-overflow chunk: tokens that a piece has in common with the one before [default: 64]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l labels-chunk-size -d 'Read at most N labels at once, and long lists of labels in pieces [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l wordings -d 'The lists in --labels-file are wordings of one label, not levels of a hierarchy'
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l single-label -d 'Exactly one label for a text (softmax), instead of every label that fits (sigmoid)'
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l all-scores -d 'Every label with its score, whatever the threshold'
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l logits -d 'Add `logit`, the model\'s answer before sigmoid or softmax, to each prediction'
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l hierarchical -d 'Predictions as an object shaped like the labels, every leaf a score'
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -l offline -d 'Never touch the network: use what is in the cache, or stop with an error'
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -s q -l quiet -d 'Say nothing but errors: no progress, no summary, no hints'
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -s v -l verbose -d 'Say more: what was loaded, how large it is, how it runs'
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gliclass -n "__fish_gliclass_using_subcommand classify" -s V -l version -d 'Print version'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -s o -l output -d 'Where the records go [default: standard output]' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l input-format -d 'The form of the input and of the output [default: by the input\'s ending, else jsonl]' -r -f -a "jsonl\t'One JSON object a line'
csv\t'Comma-separated, with a header'
tsv\t'Tab-separated, with a header'
parquet\t'Columns, in row groups'"
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l text-field -d 'The field or column that holds the text' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l output-field -d 'The field of a JSONL record that receives the predictions' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l list-separator -d 'Joins several labels, and several scores, in a CSV or TSV column' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l on-error -d 'What becomes of a record that cannot be classified' -r -f -a "keep\t'Written back with a field `error`; the exit status is 1 at the end'
skip\t'Left out, with a line on standard error; the exit status is 1 at the end'
fail\t'The run ends there; all records before it are written'"
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l shard -d 'Only one part of the input: I of N, from 0; or `auto`, or `auto/N`, in a job of Slurm or Kubernetes' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -s l -l labels -d 'Candidate labels, comma-separated; may be given several times' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l labels-file -d 'Candidate labels from a file: one a line, or JSON' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l label-separator -d 'Joins the levels of a hierarchy of labels' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l prompt -d 'What the task is, in words; the model reads it before the text' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l examples -d 'Few-shot examples: a JSON array or JSONL of {"text": "...", "labels": ["..."]}' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l rac-examples -d 'Retrieved examples: a JSON array or JSONL of {"text", "all_labels", "true_labels"}' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l rac-retrieve -d 'Of the retrieved examples, write only the K nearest ones into each text [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -s t -l threshold -d 'The least score of a label that holds, from 0 to 1; unused with --single-label [default: 0.5]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l thresholds -d 'Thresholds and temperature from a file of `eval --fit`; without --single-label, a label that is not in it is an error' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l abstain-below -d 'No label for a text whose best score is lower, from 0 to 1' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -s k -l top-k -d 'At most N labels for a text, the best ones' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -s m -l model -d 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l revision -d 'Branch, tag or commit of a Hub repository [default: main]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l device -d 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -s j -l threads -d 'Processor threads [default: all there are]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l max-length -d 'Tokens a text may have with its labels; a longer text is cut, labels never are' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l dtype -d 'The arithmetic of the encoder' -r -f -a "auto\t'The fastest that keeps the reference\'s scores'
f32\t'32 bits'
bf16\t'16-bit products, 32-bit sums: faster, less exact'
f16\t'float16 where the device has it: less exact'
int8\t'8-bit products where the processor is fastest that way, else as bf16: the least exact'"
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l on-overflow -d 'What becomes of a text that does not fit' -r -f -a "truncate\t'Its end is left out'
chunk\t'It is read in pieces; a label\'s score is the best of all pieces'
error\t'It is an error of the record'"
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l chunk-overlap -d 'With --on-overflow chunk: tokens that a piece has in common with the one before [default: 64]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l labels-chunk-size -d 'Read at most N labels at once, and long lists of labels in pieces [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l resume -d 'Go on where a run with the same command stopped, or begin one that can be gone on with'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l force -d 'Overwrite an output that is there already'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l wordings -d 'The lists in --labels-file are wordings of one label, not levels of a hierarchy'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l single-label -d 'Exactly one label for a text (softmax), instead of every label that fits (sigmoid)'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l all-scores -d 'Every label with its score, whatever the threshold'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l logits -d 'Add `logit`, the model\'s answer before sigmoid or softmax, to each prediction'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l hierarchical -d 'Predictions as an object shaped like the labels, every leaf a score'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -l offline -d 'Never touch the network: use what is in the cache, or stop with an error'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -s q -l quiet -d 'Say nothing but errors: no progress, no summary, no hints'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -s v -l verbose -d 'Say more: what was loaded, how large it is, how it runs'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gliclass -n "__fish_gliclass_using_subcommand batch" -s V -l version -d 'Print version'
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l text-field -d 'The field or column with the text' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l label-field -d 'The field or column with the true labels [default: true_labels, or label]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l list-separator -d 'Stands between the labels in a cell of CSV or TSV' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l predictions-from -d 'Judge outputs of `batch` or of --predictions, without a model' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l compare -d 'Set these predictions of the same records beside the ones that are judged' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l output-field -d 'The field with the predictions in them' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -s l -l labels -d 'Candidate labels, comma-separated; may be given several times' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l labels-file -d 'Candidate labels from a file: one a line, or JSON' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l label-separator -d 'Joins the levels of a hierarchy of labels' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l prompt -d 'What the task is, in words; the model reads it before the text' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l examples -d 'Few-shot examples: a JSON array or JSONL of {"text": "...", "labels": ["..."]}' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l rac-examples -d 'Retrieved examples: a JSON array or JSONL of {"text", "all_labels", "true_labels"}' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l rac-retrieve -d 'Of the retrieved examples, write only the K nearest ones into each text [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -s t -l threshold -d 'The least score of a label that holds, from 0 to 1; unused with --single-label [default: 0.5]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l thresholds -d 'Thresholds and temperature from a file of `eval --fit`; without --single-label, a label that is not in it is an error' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l abstain-below -d 'No label for a text whose best score is lower, from 0 to 1' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -s k -l top-k -d 'At most N labels for a text, the best ones' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l report -d 'How the figures are printed' -r -f -a "text\t'A table as scikit-learn prints it'
json\t'One JSON object, every digit kept'
markdown\t'Tables of Markdown'
csv\t'One row a label and an average, every digit kept; nothing else'"
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l predictions -d 'Write every record with its predictions to a file as `batch` does, as JSON lines; replaces what is there' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l errors -d 'Show the N most confident errors of each label' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l plots -d 'Write the plots to a folder, as SVG' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l html -d 'Write one page with figures, plots and the most confident errors, to open in a browser or to send; replaces what is there' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l bootstrap -d 'How often records are drawn anew for the 95 % intervals; 0 for none' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l seed -d 'Where random numbers begin: the same seed gives the same figures' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l label-order-trials -d 'Ask again N times with the labels shuffled, and say how many predictions change' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l fit -d 'Fit thresholds and a temperature to these records and write them to a file for --thresholds; replaces what is there' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l fit-for -d 'What thresholds are fitted for: f1, f0.5, f2, precision=0.9 (with the most recall) or recall=0.9' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l min-accuracy -d 'The least accuracy; for several labels a record, the least subset accuracy' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l min-micro-f1 -d 'The least micro-averaged F1' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l min-macro-f1 -d 'The least macro-averaged F1' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l min-weighted-f1 -d 'The least F1 averaged by support' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -s m -l model -d 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l revision -d 'Branch, tag or commit of a Hub repository [default: main]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l device -d 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -s j -l threads -d 'Processor threads [default: all there are]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l max-length -d 'Tokens a text may have with its labels; a longer text is cut, labels never are' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l dtype -d 'The arithmetic of the encoder' -r -f -a "auto\t'The fastest that keeps the reference\'s scores'
f32\t'32 bits'
bf16\t'16-bit products, 32-bit sums: faster, less exact'
f16\t'float16 where the device has it: less exact'
int8\t'8-bit products where the processor is fastest that way, else as bf16: the least exact'"
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l on-overflow -d 'What becomes of a text that does not fit' -r -f -a "truncate\t'Its end is left out'
chunk\t'It is read in pieces; a label\'s score is the best of all pieces'
error\t'It is an error of the record'"
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l chunk-overlap -d 'With --on-overflow chunk: tokens that a piece has in common with the one before [default: 64]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l labels-chunk-size -d 'Read at most N labels at once, and long lists of labels in pieces [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l wordings -d 'The lists in --labels-file are wordings of one label, not levels of a hierarchy'
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l single-label -d 'Exactly one label for a text (softmax), instead of every label that fits (sigmoid)'
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l all-scores -d 'Every label with its score, whatever the threshold'
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l logits -d 'Add `logit`, the model\'s answer before sigmoid or softmax, to each prediction'
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l hierarchical -d 'Predictions as an object shaped like the labels, every leaf a score'
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -l offline -d 'Never touch the network: use what is in the cache, or stop with an error'
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -s q -l quiet -d 'Say nothing but errors: no progress, no summary, no hints'
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -s v -l verbose -d 'Say more: what was loaded, how large it is, how it runs'
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gliclass -n "__fish_gliclass_using_subcommand eval" -s V -l version -d 'Print version'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -s o -l output -d 'The folder for the trained model' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l text-field -d 'The field or column with the text' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l label-field -d 'The field or column with the true labels [default: true_labels, or label]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l list-separator -d 'Stands between the labels in a cell of CSV or TSV' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l eval -d 'Judge each epoch on the records of this file' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l eval-share -d 'Judge each epoch on this share of the records, which is then not learned from; 0 for none' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -s l -l labels -d 'Candidate labels, comma-separated; may be given several times' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l labels-file -d 'Candidate labels from a file: one a line, or JSON' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l label-separator -d 'Joins the levels of a hierarchy of labels' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l prompt -d 'What the task is, in words; the model reads it before the text. Give the same when the model is used' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l epochs -d 'How often every record is seen' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l batch-size -d 'Records of a batch' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l gradient-accumulation -d 'Batches of a step: as one large batch, in the memory of a small one' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l learning-rate -d 'The greatest learning rate of the encoder' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l head-learning-rate -d 'The greatest learning rate of what stands on the encoder' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l weight-decay -d 'How fast the encoder\'s weights shrink, times the learning rate' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l head-weight-decay -d 'How fast the weights of what stands on it shrink, times the learning rate' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l schedule -d 'How the learning rates go after they have warmed up' -r -f -a "linear\t'Falls evenly to 0'
cosine\t'Falls along half a wave of the cosine to 0'
constant\t'Stays'"
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l warmup -d 'The share of the steps in which the learning rates rise from 0' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l clip -d 'The greatest norm of a step\'s gradients; 0 for any' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l patience -d 'Stop after N epochs without a better macro F1 on the held-out records' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l seed -d 'Where random numbers begin: the same seed gives the same model' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l focal-alpha -d 'The weight of true labels in the loss, from 0 to 1, false ones having the rest [default: no weights]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l focal-gamma -d 'How much less a label counts, the better it is known already; 0 is plain binary cross-entropy' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l label-smoothing -d 'How far targets are moved towards no opinion, from 0 to 1' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l contrastive -d 'How much it counts that the labels of a record are unlike to the model' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l train-layers -d 'Only what stands on the encoder, and its last N layers' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l lora -d 'Beside the encoder\'s matrices only narrow ones of this rank, which are added to them at the end' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l label-removal -d 'How likely some labels are left out' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l label-addition -d 'How likely labels of other records are added' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l text-addition -d 'How likely the text of another record is added' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l synonyms -d 'How likely labels are called by their synonyms' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l description -d 'How likely descriptions of labels are written beside the text' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l shown-examples -d 'How likely solved examples are shown' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l descriptions -d 'Synonyms and descriptions: {"label": {"synonyms": ["..."], "descriptions": ["..."]}}' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l max-labels -d 'Read at most N labels of a record at once: the true ones and, each time, a random choice of the others' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l backbone -d 'Begin with a plain encoder and a new head on it, instead of --model: a folder, or a Hub repository' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l label-backbone -d 'The encoder of a bi-encoder\'s labels [default: another copy of the backbone]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l architecture -d 'How labels and text are read: uni-encoder or bi-encoder' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l pooling -d 'How the text\'s rows become one: avg, first, last, max, sum, rms, abs_max, abs_avg or pass' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l label-pooling -d 'How a label\'s rows become one: first or average' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l scorer -d 'What compares text and labels: simple, weighted-dot, mlp, hopfield or cross-attn' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -s m -l model -d 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l revision -d 'Branch, tag or commit of a Hub repository [default: main]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l device -d 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -s j -l threads -d 'Processor threads [default: all there are]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l max-length -d 'Tokens a text may have with its labels; a longer text is cut, labels never are' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l resume -d 'Go on where a training with the same command stopped'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l force -d 'Begin again in a folder that `train` made, and overwrite its model'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l strict -d 'Stop before the first step if anything is wrong with the data'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l single-label -d 'Exactly one label is true of each record: cross-entropy of the softmax over its labels'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l sum-loss -d 'The sum over all labels instead of the mean'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l freeze-encoder -d 'Only what stands on the encoder: fast, and enough where the labels are like those the model knows'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l no-dropout -d 'Leave nothing out: without the dropout that the config names'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l augment -d 'Change records each time they are seen, as likely as in the Python package'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l keep-label-order -d 'Leave the labels in their order instead of shuffling them each time'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l normalize-features -d 'Compare rows of unit length'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l text-first -d 'The text before the labels'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -l offline -d 'Never touch the network: use what is in the cache, or stop with an error'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -s q -l quiet -d 'Say nothing but errors: no progress, no summary, no hints'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -s v -l verbose -d 'Say more: what was loaded, how large it is, how it runs'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gliclass -n "__fish_gliclass_using_subcommand train" -s V -l version -d 'Print version'
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -s o -l output -d 'Where the records go [default: standard output]' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l text-field -d 'The field that holds the text' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -s l -l labels -d 'Candidate labels, comma-separated; may be given several times' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l labels-file -d 'Candidate labels from a file: one a line, or JSON' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l label-separator -d 'Joins the levels of a hierarchy of labels' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l prompt -d 'What the task is, in words; the model reads it before the text' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l examples -d 'Few-shot examples: a JSON array or JSONL of {"text": "...", "labels": ["..."]}' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l rac-examples -d 'Retrieved examples: a JSON array or JSONL of {"text", "all_labels", "true_labels"}' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l rac-retrieve -d 'Of the retrieved examples, write only the K nearest ones into each text [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -s m -l model -d 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l revision -d 'Branch, tag or commit of a Hub repository [default: main]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l device -d 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -s j -l threads -d 'Processor threads [default: all there are]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l max-length -d 'Tokens a text may have with its labels; a longer text is cut, labels never are' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l dtype -d 'The arithmetic of the encoder' -r -f -a "auto\t'The fastest that keeps the reference\'s scores'
f32\t'32 bits'
bf16\t'16-bit products, 32-bit sums: faster, less exact'
f16\t'float16 where the device has it: less exact'
int8\t'8-bit products where the processor is fastest that way, else as bf16: the least exact'"
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l on-overflow -d 'What becomes of a text that does not fit' -r -f -a "truncate\t'Its end is left out'
error\t'It is an error of the record'"
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l chunk-overlap -d 'With --on-overflow chunk: tokens that a piece has in common with the one before [default: 64]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l labels-chunk-size -d 'Read at most N labels at once, and long lists of labels in pieces [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l force -d 'Replace the output file if it is there'
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l wordings -d 'The lists in --labels-file are wordings of one label, not levels of a hierarchy'
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -l offline -d 'Never touch the network: use what is in the cache, or stop with an error'
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -s q -l quiet -d 'Say nothing but errors: no progress, no summary, no hints'
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -s v -l verbose -d 'Say more: what was loaded, how large it is, how it runs'
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gliclass -n "__fish_gliclass_using_subcommand embed" -s V -l version -d 'Print version'
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -s n -l texts -d 'How many texts; fewer of them are repeated' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -l labels-count -d 'How many labels each text has' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -l input -d 'Take the texts from a JSONL file, field `text` [default: texts of 10 to 150 words inside the program]' -r -F
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -l format -d 'How the figures are written' -r -f -a "text\t'A table'
json\t'A JSON object; times in seconds'"
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -s m -l model -d 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -l revision -d 'Branch, tag or commit of a Hub repository [default: main]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -l device -d 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -s j -l threads -d 'Processor threads [default: all there are]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -l max-length -d 'Tokens a text may have with its labels; a longer text is cut, labels never are' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -l dtype -d 'The arithmetic of the encoder' -r -f -a "auto\t'The fastest that keeps the reference\'s scores'
f32\t'32 bits'
bf16\t'16-bit products, 32-bit sums: faster, less exact'
f16\t'float16 where the device has it: less exact'
int8\t'8-bit products where the processor is fastest that way, else as bf16: the least exact'"
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -l on-overflow -d 'What becomes of a text that does not fit' -r -f -a "truncate\t'Its end is left out'
chunk\t'It is read in pieces; a label\'s score is the best of all pieces'
error\t'It is an error of the record'"
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -l chunk-overlap -d 'With --on-overflow chunk: tokens that a piece has in common with the one before [default: 64]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -l labels-chunk-size -d 'Read at most N labels at once, and long lists of labels in pieces [default: all]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -l offline -d 'Never touch the network: use what is in the cache, or stop with an error'
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -s q -l quiet -d 'Say nothing but errors: no progress, no summary, no hints'
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -s v -l verbose -d 'Say more: what was loaded, how large it is, how it runs'
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gliclass -n "__fish_gliclass_using_subcommand bench" -s V -l version -d 'Print version'
complete -c gliclass -n "__fish_gliclass_using_subcommand download" -l revision -d 'Branch, tag or commit [default: main]' -r
complete -c gliclass -n "__fish_gliclass_using_subcommand download" -l offline -d 'Never touch the network: print the folder if the model is in the cache, or stop with an error'
complete -c gliclass -n "__fish_gliclass_using_subcommand download" -s q -l quiet -d 'Say nothing but errors: no progress, no summary, no hints'
complete -c gliclass -n "__fish_gliclass_using_subcommand download" -s v -l verbose -d 'Say more: what was loaded, how large it is, how it runs'
complete -c gliclass -n "__fish_gliclass_using_subcommand download" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gliclass -n "__fish_gliclass_using_subcommand download" -s V -l version -d 'Print version'
complete -c gliclass -n "__fish_gliclass_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gliclass -n "__fish_gliclass_using_subcommand completions" -s V -l version -d 'Print version'
complete -c gliclass -n "__fish_gliclass_using_subcommand help; and not __fish_seen_subcommand_from classify batch eval train embed bench download completions help" -f -a "classify" -d 'Classify the texts given, or one text a line from standard input'
complete -c gliclass -n "__fish_gliclass_using_subcommand help; and not __fish_seen_subcommand_from classify batch eval train embed bench download completions help" -f -a "batch" -d 'Stream JSONL, CSV, TSV or Parquet and write every record back with its labels'
complete -c gliclass -n "__fish_gliclass_using_subcommand help; and not __fish_seen_subcommand_from classify batch eval train embed bench download completions help" -f -a "eval" -d 'Judge labels on labelled records: how good, how sure, which threshold, what goes wrong'
complete -c gliclass -n "__fish_gliclass_using_subcommand help; and not __fish_seen_subcommand_from classify batch eval train embed bench download completions help" -f -a "train" -d 'Fine-tune a model on labelled records'
complete -c gliclass -n "__fish_gliclass_using_subcommand help; and not __fish_seen_subcommand_from classify batch eval train embed bench download completions help" -f -a "embed" -d 'Write the vectors of texts and labels that the model compares, as JSONL'
complete -c gliclass -n "__fish_gliclass_using_subcommand help; and not __fish_seen_subcommand_from classify batch eval train embed bench download completions help" -f -a "bench" -d 'Measure how fast a model runs on this machine, and where its time goes'
complete -c gliclass -n "__fish_gliclass_using_subcommand help; and not __fish_seen_subcommand_from classify batch eval train embed bench download completions help" -f -a "download" -d 'Fetch a checkpoint into the Hugging Face cache and print its folder'
complete -c gliclass -n "__fish_gliclass_using_subcommand help; and not __fish_seen_subcommand_from classify batch eval train embed bench download completions help" -f -a "completions" -d 'Print the completion script of a shell'
complete -c gliclass -n "__fish_gliclass_using_subcommand help; and not __fish_seen_subcommand_from classify batch eval train embed bench download completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
