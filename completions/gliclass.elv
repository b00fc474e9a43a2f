
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
            cand eval 'Classify labelled records and print quality figures'
            cand embed 'Write the vectors of texts and labels that the model compares, as JSONL'
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
            cand -t 'The least score of a label that holds, from 0 to 1; unused with --single-label'
            cand --threshold 'The least score of a label that holds, from 0 to 1; unused with --single-label'
            cand -k 'At most N labels for a text, the best ones'
            cand --top-k 'At most N labels for a text, the best ones'
            cand -m 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub'
            cand --model 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub'
            cand --revision 'Branch, tag or commit of a Hub repository [default: main]'
            cand --device 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`'
            cand --dtype 'The arithmetic of the encoder'
            cand -j 'Processor threads [default: all there are]'
            cand --threads 'Processor threads [default: all there are]'
            cand --max-length 'Tokens a text may have with its labels; a longer text is cut, labels never are'
            cand --on-overflow 'What becomes of a text that does not fit'
            cand --chunk-overlap 'With --on-overflow chunk: tokens that a piece has in common with the one before'
            cand --labels-chunk-size 'Read at most N labels at once, and long lists of labels in pieces [default: all]'
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
            cand --shard 'Only one part of the input: I of N, from 0; or `auto`, or `auto/N`, in a job of Slurm or Kubernetes'
            cand -l 'Candidate labels, comma-separated; may be given several times'
            cand --labels 'Candidate labels, comma-separated; may be given several times'
            cand --labels-file 'Candidate labels from a file: one a line, or JSON'
            cand --label-separator 'Joins the levels of a hierarchy of labels'
            cand --prompt 'What the task is, in words; the model reads it before the text'
            cand --examples 'Few-shot examples: a JSON array or JSONL of {"text": "...", "labels": ["..."]}'
            cand --rac-examples 'Retrieved examples: a JSON array or JSONL of {"text", "all_labels", "true_labels"}'
            cand -t 'The least score of a label that holds, from 0 to 1; unused with --single-label'
            cand --threshold 'The least score of a label that holds, from 0 to 1; unused with --single-label'
            cand -k 'At most N labels for a text, the best ones'
            cand --top-k 'At most N labels for a text, the best ones'
            cand -m 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub'
            cand --model 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub'
            cand --revision 'Branch, tag or commit of a Hub repository [default: main]'
            cand --device 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`'
            cand --dtype 'The arithmetic of the encoder'
            cand -j 'Processor threads [default: all there are]'
            cand --threads 'Processor threads [default: all there are]'
            cand --max-length 'Tokens a text may have with its labels; a longer text is cut, labels never are'
            cand --on-overflow 'What becomes of a text that does not fit'
            cand --chunk-overlap 'With --on-overflow chunk: tokens that a piece has in common with the one before'
            cand --labels-chunk-size 'Read at most N labels at once, and long lists of labels in pieces [default: all]'
            cand --resume 'Go on where a run with the same command stopped, or begin one that can be gone on with'
            cand --force 'Overwrite an output that is there already'
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
            cand -l 'Candidate labels, comma-separated; may be given several times'
            cand --labels 'Candidate labels, comma-separated; may be given several times'
            cand --labels-file 'Candidate labels from a file: one a line, or JSON'
            cand --label-separator 'Joins the levels of a hierarchy of labels'
            cand --prompt 'What the task is, in words; the model reads it before the text'
            cand --examples 'Few-shot examples: a JSON array or JSONL of {"text": "...", "labels": ["..."]}'
            cand --rac-examples 'Retrieved examples: a JSON array or JSONL of {"text", "all_labels", "true_labels"}'
            cand -t 'The least score of a label that holds, from 0 to 1; unused with --single-label'
            cand --threshold 'The least score of a label that holds, from 0 to 1; unused with --single-label'
            cand -k 'At most N labels for a text, the best ones'
            cand --top-k 'At most N labels for a text, the best ones'
            cand --report 'How the figures are printed'
            cand --predictions 'Write every record with its true labels and its predictions to a file, as JSON lines'
            cand --min-accuracy 'The least accuracy; for several labels a record, the least subset accuracy'
            cand --min-micro-f1 'The least micro-averaged F1'
            cand --min-macro-f1 'The least macro-averaged F1'
            cand --min-weighted-f1 'The least F1 averaged by support'
            cand -m 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub'
            cand --model 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub'
            cand --revision 'Branch, tag or commit of a Hub repository [default: main]'
            cand --device 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`'
            cand --dtype 'The arithmetic of the encoder'
            cand -j 'Processor threads [default: all there are]'
            cand --threads 'Processor threads [default: all there are]'
            cand --max-length 'Tokens a text may have with its labels; a longer text is cut, labels never are'
            cand --on-overflow 'What becomes of a text that does not fit'
            cand --chunk-overlap 'With --on-overflow chunk: tokens that a piece has in common with the one before'
            cand --labels-chunk-size 'Read at most N labels at once, and long lists of labels in pieces [default: all]'
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
        &'gliclass;embed'= {
            cand -o 'Where the records go [default: standard output]'
            cand --output 'Where the records go [default: standard output]'
            cand --text-field 'The field that holds the text'
            cand -l 'Candidate labels, comma-separated; may be given several times'
            cand --labels 'Candidate labels, comma-separated; may be given several times'
            cand --labels-file 'Candidate labels from a file: one a line, or JSON'
            cand --label-separator 'Joins the levels of a hierarchy of labels'
            cand --prompt 'What the task is, in words; the model reads it before the text'
            cand --examples 'Few-shot examples: a JSON array or JSONL of {"text": "...", "labels": ["..."]}'
            cand --rac-examples 'Retrieved examples: a JSON array or JSONL of {"text", "all_labels", "true_labels"}'
            cand -m 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub'
            cand --model 'The model: `builtin`, a folder, or a repository of the Hugging Face Hub'
            cand --revision 'Branch, tag or commit of a Hub repository [default: main]'
            cand --device 'Where to compute: `auto`, `cpu`, `cuda`, `cuda:N` or `metal`'
            cand --dtype 'The arithmetic of the encoder'
            cand -j 'Processor threads [default: all there are]'
            cand --threads 'Processor threads [default: all there are]'
            cand --max-length 'Tokens a text may have with its labels; a longer text is cut, labels never are'
            cand --on-overflow 'What becomes of a text that does not fit'
            cand --chunk-overlap 'With --on-overflow chunk: tokens that a piece has in common with the one before'
            cand --labels-chunk-size 'Read at most N labels at once, and long lists of labels in pieces [default: all]'
            cand --force 'Replace the output file if it is there'
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
            cand eval 'Classify labelled records and print quality figures'
            cand embed 'Write the vectors of texts and labels that the model compares, as JSONL'
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
        &'gliclass;help;embed'= {
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
