
use builtin;
use str;

set edit:completion:arg-completer[gliclass] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'gliclass'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'gliclass'= {
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand classify 'Classify the texts given, or one text a line from standard input'
            cand batch 'Stream JSONL, CSV or TSV and write every record back with its labels'
            cand eval 'Judge labels on labelled records: how good, how sure, which threshold, what goes wrong'
            cand download 'Fetches a checkpoint into the Hugging Face cache and prints its folder'
            cand completions 'Print the completion script of a shell'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'gliclass;classify'= {
            cand --format 'How the results are written [default: a table on a terminal, else jsonl]'
            cand -l 'Candidate labels, comma-separated; may be given several times'
            cand --labels 'Candidate labels, comma-separated; may be given several times'
            cand --labels-file 'Candidate labels from a file: one a line, or JSON'
            cand --label-separator 'Joins the levels of a hierarchy of labels'
            cand --prompt 'What the task is, in words; the model reads it before the text'
            cand --examples 'Few-shot examples: a JSON array or JSONL of {"text": "...", "labels": ["..."]}'
            cand --rac-examples 'Retrieved examples: a JSON array or JSONL of {"text", "all_labels", "true_labels"}'
            cand -t 'The least score of a label that holds, from 0 to 1; unused with --single-label [default: 0.5]'
            cand --threshold 'The least score of a label that holds, from 0 to 1; unused with --single-label [default: 0.5]'
            cand --thresholds 'Thresholds and temperature from a file of `eval --fit`; a label that is not in it is an error'
            cand --abstain-below 'No label for a text whose best score is lower, from 0 to 1'
            cand -k 'At most N labels for a text, the best ones'
            cand --top-k 'At most N labels for a text, the best ones'
            cand -m 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub'
            cand --model 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub'
            cand --revision 'Branch, tag or commit of a Hub repository [default: main]'
            cand --device 'Where to compute: `auto`, `cpu`, `cuda` or `cuda:N`'
            cand --dtype 'The arithmetic of the encoder'
            cand -j 'Processor threads [default: all there are]'
            cand --threads 'Processor threads [default: all there are]'
            cand --max-length 'Tokens a text may have with its labels; a longer text is cut, labels never are'
            cand --on-overflow 'What becomes of a text that does not fit'
            cand --chunk-overlap 'With --on-overflow chunk: tokens that a piece has in common with the one before'
            cand --labels-chunk-size 'Read at most N labels at once, and long lists of labels in pieces [default: all]'
            cand --wordings 'The lists in --labels-file are wordings of one label, not levels of a hierarchy'
            cand --single-label 'Exactly one label for a text (softmax), instead of every label that fits (sigmoid)'
            cand --all-scores 'Every label with its score, whatever the threshold'
            cand --logits 'Add `logit`, the model''s answer before sigmoid or softmax, to each prediction'
            cand --hierarchical 'Predictions as an object shaped like the labels, every leaf a score'
            cand --offline 'Never touch the network: use what is in the cache, or stop with an error'
            cand -q 'Say nothing but errors: no progress, no summary, no hints'
            cand --quiet 'Say nothing but errors: no progress, no summary, no hints'
            cand -v 'Say more: what was loaded, how large it is, how it runs'
            cand --verbose 'Say more: what was loaded, how large it is, how it runs'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gliclass;batch'= {
            cand -o 'Where the records go [default: standard output]'
            cand --output 'Where the records go [default: standard output]'
            cand --input-format 'The form of the input and of the output [default: by the input''s ending, else jsonl]'
            cand --text-field 'The field or column that holds the text'
            cand --output-field 'The field of a JSONL record that receives the predictions'
            cand --list-separator 'Joins several labels, and several scores, in a CSV or TSV column'
            cand --on-error 'What becomes of a record that cannot be classified'
            cand -l 'Candidate labels, comma-separated; may be given several times'
            cand --labels 'Candidate labels, comma-separated; may be given several times'
            cand --labels-file 'Candidate labels from a file: one a line, or JSON'
            cand --label-separator 'Joins the levels of a hierarchy of labels'
            cand --prompt 'What the task is, in words; the model reads it before the text'
            cand --examples 'Few-shot examples: a JSON array or JSONL of {"text": "...", "labels": ["..."]}'
            cand --rac-examples 'Retrieved examples: a JSON array or JSONL of {"text", "all_labels", "true_labels"}'
            cand -t 'The least score of a label that holds, from 0 to 1; unused with --single-label [default: 0.5]'
            cand --threshold 'The least score of a label that holds, from 0 to 1; unused with --single-label [default: 0.5]'
            cand --thresholds 'Thresholds and temperature from a file of `eval --fit`; a label that is not in it is an error'
            cand --abstain-below 'No label for a text whose best score is lower, from 0 to 1'
            cand -k 'At most N labels for a text, the best ones'
            cand --top-k 'At most N labels for a text, the best ones'
            cand -m 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub'
            cand --model 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub'
            cand --revision 'Branch, tag or commit of a Hub repository [default: main]'
            cand --device 'Where to compute: `auto`, `cpu`, `cuda` or `cuda:N`'
            cand --dtype 'The arithmetic of the encoder'
            cand -j 'Processor threads [default: all there are]'
            cand --threads 'Processor threads [default: all there are]'
            cand --max-length 'Tokens a text may have with its labels; a longer text is cut, labels never are'
            cand --on-overflow 'What becomes of a text that does not fit'
            cand --chunk-overlap 'With --on-overflow chunk: tokens that a piece has in common with the one before'
            cand --labels-chunk-size 'Read at most N labels at once, and long lists of labels in pieces [default: all]'
            cand --wordings 'The lists in --labels-file are wordings of one label, not levels of a hierarchy'
            cand --single-label 'Exactly one label for a text (softmax), instead of every label that fits (sigmoid)'
            cand --all-scores 'Every label with its score, whatever the threshold'
            cand --logits 'Add `logit`, the model''s answer before sigmoid or softmax, to each prediction'
            cand --hierarchical 'Predictions as an object shaped like the labels, every leaf a score'
            cand --offline 'Never touch the network: use what is in the cache, or stop with an error'
            cand -q 'Say nothing but errors: no progress, no summary, no hints'
            cand --quiet 'Say nothing but errors: no progress, no summary, no hints'
            cand -v 'Say more: what was loaded, how large it is, how it runs'
            cand --verbose 'Say more: what was loaded, how large it is, how it runs'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gliclass;eval'= {
            cand --text-field 'The field or column with the text'
            cand --label-field 'The field or column with the true labels [default: true_labels, or label]'
            cand --list-separator 'Stands between the labels in a cell of CSV or TSV'
            cand --predictions-from 'Judge outputs of `batch` or of --predictions, without a model'
            cand --compare 'Set these predictions of the same records beside the ones that are judged'
            cand --output-field 'The field with the predictions in them'
            cand -l 'Candidate labels, comma-separated; may be given several times'
            cand --labels 'Candidate labels, comma-separated; may be given several times'
            cand --labels-file 'Candidate labels from a file: one a line, or JSON'
            cand --label-separator 'Joins the levels of a hierarchy of labels'
            cand --prompt 'What the task is, in words; the model reads it before the text'
            cand --examples 'Few-shot examples: a JSON array or JSONL of {"text": "...", "labels": ["..."]}'
            cand --rac-examples 'Retrieved examples: a JSON array or JSONL of {"text", "all_labels", "true_labels"}'
            cand -t 'The least score of a label that holds, from 0 to 1; unused with --single-label [default: 0.5]'
            cand --threshold 'The least score of a label that holds, from 0 to 1; unused with --single-label [default: 0.5]'
            cand --thresholds 'Thresholds and temperature from a file of `eval --fit`; a label that is not in it is an error'
            cand --abstain-below 'No label for a text whose best score is lower, from 0 to 1'
            cand -k 'At most N labels for a text, the best ones'
            cand --top-k 'At most N labels for a text, the best ones'
            cand --report 'How the figures are printed'
            cand --predictions 'Write every record with its predictions to a file as `batch` does, as JSON lines'
            cand --errors 'Show the N most confident errors of each label'
            cand --plots 'Write the plots to a folder, as SVG'
            cand --html 'Write one page with figures, plots and the most confident errors, to open in a browser or to send'
            cand --bootstrap 'How often records are drawn anew for the 95 % intervals; 0 for none'
            cand --seed 'Where random numbers begin: the same seed gives the same figures'
            cand --label-order-trials 'Ask again N times with the labels shuffled, and say how many predictions change'
            cand --fit 'Fit thresholds and a temperature to these records and write them to a file for --thresholds'
            cand --fit-for 'What thresholds are fitted for: f1, f0.5, f2, precision=0.9 (with the most recall) or recall=0.9'
            cand --min-accuracy 'The least accuracy; for several labels a record, the least subset accuracy'
            cand --min-micro-f1 'The least micro-averaged F1'
            cand --min-macro-f1 'The least macro-averaged F1'
            cand --min-weighted-f1 'The least F1 averaged by support'
            cand -m 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub'
            cand --model 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub'
            cand --revision 'Branch, tag or commit of a Hub repository [default: main]'
            cand --device 'Where to compute: `auto`, `cpu`, `cuda` or `cuda:N`'
            cand --dtype 'The arithmetic of the encoder'
            cand -j 'Processor threads [default: all there are]'
            cand --threads 'Processor threads [default: all there are]'
            cand --max-length 'Tokens a text may have with its labels; a longer text is cut, labels never are'
            cand --on-overflow 'What becomes of a text that does not fit'
            cand --chunk-overlap 'With --on-overflow chunk: tokens that a piece has in common with the one before'
            cand --labels-chunk-size 'Read at most N labels at once, and long lists of labels in pieces [default: all]'
            cand --wordings 'The lists in --labels-file are wordings of one label, not levels of a hierarchy'
            cand --single-label 'Exactly one label for a text (softmax), instead of every label that fits (sigmoid)'
            cand --all-scores 'Every label with its score, whatever the threshold'
            cand --logits 'Add `logit`, the model''s answer before sigmoid or softmax, to each prediction'
            cand --hierarchical 'Predictions as an object shaped like the labels, every leaf a score'
            cand --offline 'Never touch the network: use what is in the cache, or stop with an error'
            cand -q 'Say nothing but errors: no progress, no summary, no hints'
            cand --quiet 'Say nothing but errors: no progress, no summary, no hints'
            cand -v 'Say more: what was loaded, how large it is, how it runs'
            cand --verbose 'Say more: what was loaded, how large it is, how it runs'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gliclass;download'= {
            cand --revision 'Branch, tag or commit [default: main]'
            cand --offline 'Never touch the network: print the folder if the model is in the cache, or stop with an error'
            cand -q 'Say nothing but errors: no progress, no summary, no hints'
            cand --quiet 'Say nothing but errors: no progress, no summary, no hints'
            cand -v 'Say more: what was loaded, how large it is, how it runs'
            cand --verbose 'Say more: what was loaded, how large it is, how it runs'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gliclass;completions'= {
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gliclass;help'= {
            cand classify 'Classify the texts given, or one text a line from standard input'
            cand batch 'Stream JSONL, CSV or TSV and write every record back with its labels'
            cand eval 'Judge labels on labelled records: how good, how sure, which threshold, what goes wrong'
            cand download 'Fetches a checkpoint into the Hugging Face cache and prints its folder'
            cand completions 'Print the completion script of a shell'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'gliclass;help;classify'= {
        }
        &'gliclass;help;batch'= {
        }
        &'gliclass;help;eval'= {
        }
        &'gliclass;help;download'= {
        }
        &'gliclass;help;completions'= {
        }
        &'gliclass;help;help'= {
        }
    ]
    $completions[$command]
}
